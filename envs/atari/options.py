"""Options of Atari games, checked, as ALE's vector environment takes them."""

from __future__ import annotations

import dataclasses
from typing import Any

from gymnasium.vector import AutoresetMode

from engram.envs.arguments import check_at_least, check_flag, check_known, check_number

FRAMES_PER_SECOND = 60
"""Of the console."""

ALE_NAMES = {"frameskip": "frame_skip", "max_num_frames_per_episode": "max_episode_steps"}
"""Options that ALE's interface has under other names."""

_SIDE = 512  # pixels of a picture's side, twice what a console shows
_MOST = 2**31 - 1  # what ALE counts frames with


@dataclasses.dataclass(frozen=True)
class AtariOptions:
    """What is played and how it is shown; names are those of ALE's vector environment.

    Args:
        game: a ROM's name, such as `ms_pacman`.
        img_height: rows of a frame, pixels.
        img_width: columns of a frame, pixels.
        grayscale: whether a frame has one plane, of brightness, or three.
        stack_num: frames that are seen at once.
        frameskip: frames that an action lasts.
        maxpool: whether a frame is the brighter one, pixel by pixel, of the last two of an action.
        noop_max: most frames of waiting before a game, drawn for each; 0: none.
        use_fire_reset: whether FIRE is pressed once before a game that knows it.
        repeat_action_probability: that a frame repeats the action before in place of the new one: sticky
            actions.
        full_action_space: whether all 18 actions are there; false: only those that do something in the game.
        max_num_frames_per_episode: frames after which a game is cut short, without those of waiting.
        num_threads: threads that play the lanes.
        reward_clipping: false; `clip_rewards` of an algorithm clips what is learned from.
        episodic_life: false; an episode is a whole game.
    """

    game: str = "pong"
    img_height: int = 84
    img_width: int = 84
    grayscale: bool = True
    stack_num: int = 4
    frameskip: int = 4
    maxpool: bool = True
    noop_max: int = 30
    use_fire_reset: bool = True
    repeat_action_probability: float = 0.25
    full_action_space: bool = False
    max_num_frames_per_episode: int = 108_000
    num_threads: int = 1
    reward_clipping: bool = False
    episodic_life: bool = False

    def __post_init__(self) -> None:
        """Check the fields.

        Raises:
            ValueError: an illegal one; names the legal values and the nearest one.
        """
        for name, low, high, unit in _WHOLE:
            check_at_least(name, getattr(self, name), low, f">= {low} {unit}", high)
        for name in _FLAGS:
            check_flag(name, getattr(self, name))
        check_number("repeat_action_probability", self.repeat_action_probability, 0, 1)
        for name, instead in _FALSE.items():
            if check_flag(name, getattr(self, name)):
                raise ValueError(f"{name}: true is not for lanes that train; legal: false; {instead}")

    @property
    def planes(self) -> int:
        """Planes of one frame."""
        return 1 if self.grayscale else 3

    def make(self, lanes: int, autoreset_mode: AutoresetMode) -> Any:
        """Make ALE's vector interface, C++.

        The vector environment in Python around it writes its autoreset mode into a dict that all of them
        share, and waits for ever for an action that there is not.

        Raises:
            ModuleNotFoundError: there is no ale_py.
            ValueError: there is no such game.
        """
        from ale_py import ALEVectorInterface, roms

        check_known("game", self.game, sorted(roms.get_all_rom_ids()))
        given = {ALE_NAMES.get(name, name): value for name, value in dataclasses.asdict(self).items()}
        rom = roms.get_rom_path(given.pop("game"))
        return ALEVectorInterface(rom, lanes, autoreset_mode=autoreset_mode.value, **given)

    def rules(self) -> str:
        """Say in a line what makes scores comparable, or not."""
        sticky = f"sticky actions {self.repeat_action_probability:g}"
        if not self.repeat_action_probability:
            sticky = "no sticky actions"
        frames = f"{self.frameskip} frames per action" if self.frameskip > 1 else "a frame per action"
        waits = f"up to {self.noop_max} frames of waiting first" if self.noop_max else "no waiting first"
        fire = " and FIRE" if self.use_fire_reset else ""
        minutes = self.max_num_frames_per_episode / FRAMES_PER_SECOND / 60
        most = f"{minutes:.3g} min" if minutes >= 1 else f"{self.max_num_frames_per_episode:,} frames"
        whole = f"an episode is a whole game of up to {most}, lost lives end none"
        return f"{sticky}; {frames}; {waits}{fire}; {whole}; rewards are the game's own"


_WHOLE = (
    ("img_height", 1, _SIDE, "pixels"),
    ("img_width", 1, _SIDE, "pixels"),
    ("stack_num", 1, 64, "frames"),
    ("frameskip", 1, 1000, "frames"),
    ("noop_max", 0, 10_000, "frames"),
    ("max_num_frames_per_episode", 1, _MOST, "frames"),
    ("num_threads", 1, 1024, "threads"),
)
_FLAGS = ("grayscale", "maxpool", "use_fire_reset", "full_action_space")
_FALSE = {
    "reward_clipping": "config.clip_rewards: true clips what is learned from, and scores stay whole",
    "episodic_life": "an episode is a whole game, through which a memory lasts",
}
