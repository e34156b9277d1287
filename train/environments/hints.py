"""Packages of environments by their ids: what to import or install where an id is not registered."""

import importlib.util
import re
from typing import NamedTuple

import gymnasium as gym
from gymnasium.envs.registration import find_highest_version, get_env_id, parse_env_id


class Package(NamedTuple):
    """A package that registers environments when it is imported.

    Attributes:
        module: What to import.
        install: What `pip install` is given.
        ids: Pattern of the ids that it registers.
        note: What else to know.
    """

    module: str
    install: str
    ids: str
    note: str = ""


_ATARI = (
    r"Adventure|AirRaid|Alien|Amidar|Assault|Asterix|Asteroids|Atlantis|BankHeist|BattleZone|BeamRider"
    r"|Berzerk|Bowling|Boxing|Breakout|Carnival|Centipede|ChopperCommand|CrazyClimber|Defender"
    r"|DemonAttack|DoubleDunk|ElevatorAction|Enduro|FishingDerby|Freeway|Frostbite|Gopher|Gravitar|Hero"
    r"|IceHockey|Jamesbond|JourneyEscape|Kangaroo|Krull|KungFuMaster|MontezumaRevenge|MsPacman"
    r"|NameThisGame|Phoenix|Pitfall|Pong|Pooyan|PrivateEye|Qbert|Riverraid|RoadRunner|Robotank|Seaquest"
    r"|Skiing|Solaris|SpaceInvaders|StarGunner|Tennis|TimePilot|Tutankham|UpNDown|Venture|VideoPinball"
    r"|WizardOfWor|YarsRevenge|Zaxxon"
)

PACKAGES = (
    Package("minigrid", "engram[minigrid]", r"(MiniGrid|BabyAI)-.*"),
    Package("ale_py", "engram[atari]", rf"ALE/.*|({_ATARI})(-ram)?(NoFrameskip|Deterministic)?-v\d"),
    Package(
        "gymnasium_robotics",
        "gymnasium-robotics",
        r"(Fetch|Hand(Reach|Manipulate)|AntMaze|PointMaze|AdroitHand|FrankaKitchen).*",
    ),
    Package(
        "highway_env",
        "highway-env",
        r"(highway|merge|roundabout|parking|intersection|racetrack|exit|two-way|u-turn|lane-keeping)(-.*)?-v\d",
    ),
    Package("mo_gymnasium", "mo-gymnasium", r"mo-.*|deep-sea-treasure.*", "its rewards are vectors"),
    Package("shimmy", "shimmy[dm-control]", r"dm_control/.*"),
    Package("shimmy", "shimmy[bsuite]", r"bsuite/.*"),
    Package("popgym", "popgym", r"popgym-.*"),
    Package(
        "neurogym",
        "neurogym",
        r"(PerceptualDecisionMaking|ContextDecisionMaking|DelayMatchSample|DelayComparison|GoNogo|ReadySetGo"
        r"|MultiSensoryIntegration|ProbabilisticReasoning|ReachingDelayResponse|IntervalDiscrimination).*",
    ),
    Package(
        "memory_gym", "memory-gym", r"(Endless-)?(SearingSpotlights|MortarMayhemB?|MysteryPath)(-Grid)?-v\d"
    ),
    Package("miniworld", "miniworld", r"MiniWorld-.*"),
    Package("metaworld", "metaworld", r"Meta-World/.*"),
    Package("vizdoom.gymnasium_wrapper", "vizdoom", r"Vizdoom.*"),
    Package("nle.env", "nle", r"NetHack.*"),
    Package("minihack", "minihack", r"MiniHack-.*"),
    Package("panda_gym", "panda-gym", r"Panda.*"),
    Package("pybullet_envs_gymnasium", "pybullet-envs-gymnasium", r".*BulletEnv-v\d"),
    Package(
        "safety_gymnasium", "safety-gymnasium", r"Safety\w+-v\d", "its steps give a cost beside the reward"
    ),
    Package("flappy_bird_gymnasium", "flappy-bird-gymnasium", r"FlappyBird-.*"),
    Package(
        "procgen",
        "procgen",
        r"procgen-.*",
        "it speaks the older interface of gym: wrap it in a class of your own",
    ),
)


def hint(env_id: str) -> str | None:
    """Advise on an id that is not registered; None where nothing is known about it."""
    known = newest_version(env_id)
    if known is None and (full := of_ours(env_id)) is not None:
        known = f"did you mean {full!r}?"
    return known or next((_advice(each, env_id) for each in _owners(env_id)), None)


def of_ours(env_id: str) -> str | None:
    """Complete an id of ours that lacks its namespace, or its version too; None where it is none of ours."""
    candidates = (f"engram/{env_id}", f"engram/{env_id}-v0")
    return next((full for full in candidates if full in gym.registry), None)


def newest_version(env_id: str) -> str | None:
    """Advise on an id without a version, or with a removed one; None where it is neither."""
    try:
        namespace, name, version = parse_env_id(env_id)
    except gym.error.Error:
        return None
    newest = find_highest_version(namespace, name)
    if newest is None or (version is not None and version > newest):
        return None
    kind = "names no version" if version is None else "is a version that Gymnasium has given up"
    return f"it {kind}; the newest is {get_env_id(namespace, name, newest)}"


def newer_version(env_id: str) -> str | None:
    """The newest version of a registered environment, where it is not this one."""
    spec = gym.registry[env_id]
    newest = find_highest_version(spec.namespace, spec.name)
    if spec.version is None or newest is None or newest <= spec.version:
        return None
    return get_env_id(spec.namespace, spec.name, newest)


def how_to_install(module: str) -> str | None:
    """`pip install popgym` for `popgym`; None where the module is of no package known here, or is there."""
    found = next((each for each in PACKAGES if _top(each.module) == _top(module)), None)
    return None if found is None or _installed(found.module) else f"pip install {_quoted(found.install)}"


def for_import(error: BaseException) -> str:
    """`; pip install highway-env` where an error comes from a known package that is not there; else empty."""
    cause = error
    while cause.__cause__ is not None:
        cause = cause.__cause__
    install = how_to_install(cause.name or "") if isinstance(cause, ModuleNotFoundError) else None
    return f"; {install}" if install else ""


def _owners(env_id: str) -> list[Package]:
    return [package for package in PACKAGES if re.fullmatch(package.ids, env_id)]


def _advice(package: Package, env_id: str) -> str:
    note = f"; {package.note}" if package.note else ""
    if _installed(package.module):
        return f"import it: {package.module}:{env_id}{note}"
    return f"pip install {_quoted(package.install)}, then import it: {package.module}:{env_id}{note}"


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(_top(module)) is not None
    except (ImportError, ValueError):  # a module without a spec
        return False


def _top(module: str) -> str:
    return module.partition(".")[0]


def _quoted(distribution: str) -> str:
    return f'"{distribution}"' if "[" in distribution else distribution
