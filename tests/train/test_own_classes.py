"""Cores and encoders by class path: plain options, and what a dry run finds out about a faulty one."""

import gymnasium as gym
import pytest
from test_checks import plan

from engram.agents import RecurrentModule
from engram.agents.models.first_run import check_own_classes
from engram.memory import make_core
from engram.train.console.errors import ExperimentError


def planned(run="RecurrentPPO", encoder=None, **core):
    model = {"core": {"type": "own_cores:Good"} | core} | ({"encoder": encoder} if encoder else {})
    return plan({"model": model}, run=run)


def said(monkeypatch, request, **model):
    monkeypatch.chdir(request.config.rootpath)
    with pytest.raises(ExperimentError) as caught:
        planned(**model)
    return str(caught.value)


@pytest.mark.parametrize(
    "core",
    [
        {},
        {"size": 7, "decay": 1, "kind": "b", "layers": [3], "label": "x", "bptt_steps": 2},
        {"type": "own_cores:PlainClass", "size": 6},
        {"type": "own_cores:DefaultOptions"},
        {"type": "own_cores:NeedsSize", "size": 3},
        {"type": "own_cores:Noisy"},
    ],
)
def test_a_core_of_ones_own(core):
    assert planned(**core).module.core_parameters > 0


@pytest.mark.parametrize("run", ["RecurrentPPO", "RecurrentIMPALA", "PPO", "APPO"])
def test_an_encoder_of_ones_own(run):
    made = planned(run, encoder={"type": "own_cores:Seen", "size": 6})
    assert made.module.core == "own_cores:Good"


def test_plain_fields_take_the_types_of_their_annotations():
    options = make_core(3, {"type": "own_cores:Good", "decay": 1, "layers": [3, 4]}).options
    assert (options.decay, options.layers, options.label) == (1.0, (3, 4), None)
    assert type(options.decay) is float


@pytest.mark.parametrize(
    ("core", "message"),
    [
        ({"size": "big"}, "size: expected an integer, got 'big'"),
        ({"size": True}, "size: expected an integer, got True"),
        ({"decay": "x"}, "decay: expected a number, got 'x'"),
        ({"kind": "c"}, "kind: expected one of a, b, got 'c'"),
        ({"layers": 3}, "layers: expected a list, each entry an integer, got 3"),
        ({"layers": ["x"]}, "layers: expected a list, each entry an integer, got ['x']"),
        ({"label": 3}, "label: expected text or none, got 3"),
        ({"sise": 3}, "sise: unknown key; did you mean 'size'?"),
        ({"type": "own_cores:PlainClass", "size": "x"}, "size: expected an integer, got 'x'"),
        ({"type": "own_cores:PlainClass", "bptt_stepz": 3}, "bptt_stepz: unknown key; known: size"),
        ({"type": "own_cores:NeedsSize"}, "size: missing; it has no default"),
        ({"type": "own_cores:KeyMade"}, "size: too small"),
        (
            {"type": "own_cores.Good"},
            "type: unknown 'own_cores.Good'; a class of your own is written own_cores:Good",
        ),
        (
            {"type": "own_cores:Goud"},
            "type: cannot load 'own_cores:Goud': module 'own_cores' has no attribute 'Goud'",
        ),
        ({"type": "own_cores:NoCore"}, "type: 'own_cores:NoCore' is no subclass of engram.memory.Core"),
        ({"type": "own_cores:"}, "type: cannot load 'own_cores:'"),
    ],
)
def test_wrong_options(core, message, monkeypatch, request):
    assert said(monkeypatch, request, **core).startswith(f"config.model.core.{message}")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "Undecorated",
            "Undecorated.Options is no dataclass; put @dataclass(frozen=True, kw_only=True) above",
        ),
        ("OptionsAreDict", "dict is no dataclass"),
        ("RaisesMade", "'own_cores:RaisesMade' cannot be built: KeyError: 'k' (tests/train/own_cores.py:"),
        (
            "ValueMade",
            "'own_cores:ValueMade' cannot be built: ValueError: nothing fits (tests/train/own_cores.py:",
        ),
        ("ExitsMade", "'own_cores:ExitsMade' cannot be built: SystemExit: 1 (tests/train/own_cores.py:"),
        (
            "NoSuper",
            "'own_cores:NoSuper' cannot be built: AttributeError: cannot assign module before Module.",
        ),
        (
            "Abstract",
            "'own_cores:Abstract' cannot be built: TypeError: Can't instantiate abstract class Abstract",
        ),
        ("NoOutputSize", "output_size of 'own_cores:NoOutputSize' is None, expected an integer >= 1"),
        (
            "WrongOutputs",
            "WrongOutputs over 3 steps of 2 lanes gives outputs of shape (3, 2, 3), expected a t",
        ),
        ("TupleState", "TupleState.initial_state(2) gives a tuple as state, expected a dict of tensors"),
        (
            "LanesSecond",
            "LanesSecond.initial_state(2): state['trace'] has shape (1, 2, 4), expected lanes fi",
        ),
        (
            "Shrinks",
            "Shrinks over 3 steps of 2 lanes turns a state of {'trace': (2, 4)} into one of {'trace': (2, 3",
        ),
        ("Deaf", "Deaf does not heed resets: where resets[t, b] is true"),
        ("Pair", "Pair over 3 steps of 2 lanes: unroll gives a tuple, expected (outputs, state, info)"),
        ("WritesInto", "WritesInto over 3 steps of 2 lanes writes into the state that it is given"),
        (
            "RaisesRun",
            "RaisesRun over 3 steps of 2 lanes raises RuntimeError: no such matrix (tests/train/own_co",
        ),
    ],
)
@pytest.mark.parametrize("run", ["RecurrentPPO", "PPO"])
def test_faults_of_a_core(run, name, message, monkeypatch, request):
    text = said(monkeypatch, request, run=run, type=f"own_cores:{name}")
    assert text.startswith(f"config.model.core: {message}")


def test_a_core_that_hangs_is_ended(monkeypatch, request):
    monkeypatch.setenv("ENGRAM_ENV_SECONDS", "1")
    text = said(monkeypatch, request, type="own_cores:HangsRun")
    assert text.startswith(
        "config.model: building it, or its first run, has not ended after 1 s (in tests/train/own"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "SeenWrongly",
            ": SeenWrongly gives features (2, 2) for 2 observations, expected a tensor (2, output_size = 5",
        ),
        ("SeenRaising", ": SeenRaising raises RuntimeError: no such matrix (tests/train/own_cores.py:"),
        ("SeenWithoutSize", ": output_size of 'own_cores:SeenWithoutSize' is None"),
        ("Good", ".type: 'own_cores:Good' is no subclass of engram.agents.Encoder"),
        ("Nothing", ".type: cannot load 'own_cores:Nothing': module 'own_cores' has no attribute 'Nothing'"),
    ],
)
def test_faults_of_an_encoder(name, message, monkeypatch, request):
    text = said(monkeypatch, request, encoder={"type": f"own_cores:{name}"})
    assert text.startswith(f"config.model.encoder{message}")


@pytest.mark.parametrize("name", ["Seen", "SeenWrongly"])
def test_a_fault_of_a_part_is_said_of_the_part(name):
    space = gym.spaces.Dict(left=gym.spaces.Box(0, 1, (3,)), right=gym.spaces.Discrete(2))
    part = {"type": f"own_cores:{name}", "size": 5}
    model = {"core": {"type": "lstm", "size": 4}, "encoder": {"type": "dict", "left": part}}
    spaces = {"observation_space": space, "action_space": gym.spaces.Discrete(2)}
    module = RecurrentModule(**spaces, model_config=model)
    if name == "Seen":
        check_own_classes(module)
        return
    with pytest.raises(ValueError, match=r"encoder\.left: SeenWrongly gives features \(2, 2\)"):
        check_own_classes(module)


@pytest.mark.parametrize("part", ["core", "encoder"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:\n", "its import raises SyntaxError: invalid syntax (wrong_file.py:1)"),
        ("import not_there\n", "No module named 'not_there' (wrong_file.py:1)"),
        (
            "import sys\n\nsys.exit('no licence')\n",
            "its import raises SystemExit: no licence (wrong_file.py:3)",
        ),
        ("1 / 0\n", "its import raises ZeroDivisionError: division by zero (wrong_file.py:1)"),
    ],
)
def test_a_file_that_cannot_be_imported(part, text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "wrong_file.py").write_text(text)
    options = {"type": "wrong_file:Thing"}
    with pytest.raises(ExperimentError) as caught:
        planned(**(options if part == "core" else {"encoder": options}))
    assert str(caught.value) == f"config.model.{part}.type: cannot load 'wrong_file:Thing': {message}"
