"""Pictures: what is in them, the same bytes every time, errors in one line."""

import itertools
import shutil

import numpy as np
import pytest
import torch
from made_up_runs import make_population, make_trial
from made_up_thinkers import SUMS, make_checkpoint, make_evaluation

from engram.memory import make_core
from engram.memory.options import parse_options
from engram.memory.probe import gradient_reach, retention
from engram.train.console.errors import ExperimentError
from engram.train.pictures import KINDS, canvas, draw, pool_contents, rim_activation
from engram.train.pictures import retention as retention_picture

SMALL = {
    "accuracy-curves": {"files": ["evaluations/delta.json"]},
    "curves": {"runs": ["runs/tmaze"], "metric": "success", "band": "ci95"},
    "delays": {"runs": ["runs/tmaze"], "chance": 0.5, "best": [[20, 1], [70, 0.9]]},
    "exits": {"files": ["evaluations/delta.json"]},
    "filters": {"checkpoint": "sums", "problems": 3},
    "impulse-responses": {"pools": 4, "steps": 60},
    "lineage": {"runs": ["population"]},
    "pool-contents": {"pools": 3, "size": 5, "steps": 40, "first": "abc", "second": "bcd", "anagram": "cab"},
    "population": {"runs": ["population"]},
    "rim-activation": {"core": {"type": "rims", "num_rims": 4, "num_active": 2, "rim_size": 4}, "span": 6},
    "scores": {"runs": ["runs/pong"], "baseline": "gru"},
    "thoughts": {"checkpoint": "sums", "iterations": 2},
}

RIMS = SMALL["rim-activation"]


@pytest.fixture(scope="module")
def sums(tmp_path_factory):
    """A trial with an untrained network for prefix sums."""
    return make_checkpoint(tmp_path_factory.mktemp("trial") / "sums", SUMS, {"bits": 8})


@pytest.fixture(autouse=True)
def runs(tmp_path_factory, monkeypatch, sums):
    """What pictures of runs, evaluations and networks look at, in the current folder."""
    folder = tmp_path_factory.mktemp("runs")
    for delay, success in ((20, 1.0), (70, 0.5)):
        make_trial(folder / "runs/tmaze", env_config={"limbo_time": delay}, success_rate=[success])
    for core in ("gru", "rims"):
        make_trial(
            folder / "runs/pong",
            env_config={},
            env="ALE/Pong-v5",
            config={"model": {"core": {"type": core}}},
            episode_return_mean=[float(len(core))],
        )
    make_evaluation(
        folder / "evaluations/delta.json", [True, False, True, True], exits={"confidence": [0, 2, 1, 1]}
    )
    make_population(folder / "population")
    shutil.copytree(sums, folder / "sums")
    monkeypatch.chdir(folder)


def figure(name, **options):
    kind = KINDS[name]
    settings = parse_options(kind.options, {**SMALL[name], **options}, "options")
    with canvas.style():
        return kind.draw(kind.numbers(settings) if kind.numbers else settings)


def test_every_kind_is_small_here():
    assert SMALL.keys() == KINDS.keys()


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [*((kind, ".png") for kind in KINDS), *(("rim-activation", suffix) for suffix in (".pdf", ".svg"))],
)
def test_the_same_picture_is_the_same_file(kind, suffix, tmp_path):
    files = [tmp_path / f"{name}{suffix}" for name in ("one", "two")]
    for file in files:
        draw(kind, SMALL[kind], file)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert files[0].stat().st_size > 1000


@pytest.mark.parametrize("kind", KINDS)
def test_axes_are_labelled(kind):
    panels = [axes for axes in figure(kind).axes if axes.get_title(loc="left")]
    assert panels
    assert any(axes.get_xlabel() for axes in panels)
    assert any(axes.get_ylabel() for axes in panels)


def test_impulse_responses():
    chain, parallel = figure("impulse-responses", base=1.5).axes
    peaks = [line.get_xdata()[np.argmax(line.get_ydata())] for line in chain.lines]
    assert peaks == [0, 0, 2, 5]
    assert [text.get_text() for text in chain.texts] == ["1, 2", "3", "4"]
    assert [text.get_text() for text in parallel.texts] == ["1", "2", "3", "4"]
    for pool, line in enumerate(parallel.lines):
        lags, values = map(np.asarray, line.get_data())
        np.testing.assert_allclose(values, (1 - 1.5 ** -(pool + 1)) ** lags, atol=1e-12)


def test_pool_contents_obey_the_equation():
    """p_t^(n) = a_n tanh(R p_t^(n-1)) + (1 - a_n) p_{t-1}^(n): what is turned keeps its length."""
    settings = parse_options(pool_contents.ContentsOptions, SMALL["pool-contents"], "options")
    held = pool_contents.contents(settings)
    assert list(held) == ["abc", "bcd", "cab"]
    pools = held["abc"].view(40, 3, 5).transpose(0, 1)
    letters = torch.eye(26)[:3, :5] * 0.5  # the link is a_1 times the padded identity
    expected = torch.zeros(5)
    for step in range(40):
        expected = 0.5 * expected + (letters[step] if step < 3 else 0)
        torch.testing.assert_close(pools[0, step], expected)
    for pool, gain in ((1, 0.25), (2, 0.125)):
        entering = (pools[pool, 1:10] - (1 - gain) * pools[pool, :9]) / gain
        lengths = entering.atanh().norm(dim=1)
        torch.testing.assert_close(lengths, pools[pool - 1, 1:10].norm(dim=1), rtol=1e-3, atol=1e-5)
    assert not torch.allclose(held["abc"], held["cab"])


def test_pool_contents_shows_differences():
    panels = figure("pool-contents", anagram="abc").axes[:4]
    images = [np.asarray(panel.collections[0].get_array()).reshape(40, 15) for panel in panels]
    assert images[0].min() < 0
    assert images[2].min() >= 0
    assert images[2].max() == 1
    assert not images[3].any()  # a word and itself
    assert panels[0].get_yscale() == "symlog"
    assert figure("pool-contents", log_time=False).axes[0].get_yscale() == "linear"


def test_copying_inputs():
    settings = parse_options(
        rim_activation.ActivationOptions, {"letters": 5, "span": 7, "symbols": 3}, "options"
    )
    inputs = rim_activation.copying_inputs(settings, 5)
    assert inputs.shape == (17, 1, 5)
    symbols = inputs[:, 0].argmax(1)
    assert torch.equal(inputs[:, 0].sum(1), torch.ones(17))
    assert (symbols[:5] < 3).all()
    assert symbols[5:].tolist() == [3] * 6 + [4] + [3] * 5
    narrow = rim_activation.copying_inputs(settings, 2)[:, 0]
    torch.testing.assert_close(narrow.norm(dim=1), torch.ones(17))
    assert torch.equal(narrow[5], narrow[6])


def test_rim_activation_shows_what_the_core_says():
    settings = parse_options(rim_activation.ActivationOptions, RIMS, "options")
    core = rim_activation.load_core(settings)
    inputs = rim_activation.copying_inputs(settings, core.input_size)
    active = core(inputs, core.initial_state(1), return_info=True)[-1]["active"][:, 0]
    axes = figure("rim-activation").axes[0]
    assert torch.equal(torch.tensor(np.asarray(axes.images[0].get_array())).bool(), active.T)
    assert (active.sum(1) == 2).all()
    assert [text.get_text() for text in axes.texts] == ["symbols", "blanks", "recall"]


def test_rim_activation_with_weights(tmp_path):
    torch.manual_seed(5)
    core = make_core(10, RIMS["core"])
    torch.save(core.state_dict(), tmp_path / "core.pt")
    settings = parse_options(
        rim_activation.ActivationOptions, {**RIMS, "weights": str(tmp_path / "core.pt")}, "options"
    )
    loaded = rim_activation.load_core(settings).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in core.state_dict().items())
    assert "trained" in figure("rim-activation", weights=str(tmp_path / "core.pt")).axes[0].get_title(
        loc="left"
    )


def test_retention_picture():
    core = make_core(3, {"type": "low_pass", "pools": 3, "size": 3})
    panels = retention_picture.draw(retention(core, 50), gradient_reach(core, 20), "low_pass").axes
    upper, lower = panels
    assert [line.get_label() for line in upper.lines] == ["output", "pools[0]", "pools[1]", "pools[2]"]
    assert len({line.get_color() for line in upper.lines}) == 4
    assert lower.get_yscale() == "log"
    frozen = make_core(3, {"type": "low_pass", "train_input": False})
    panels = retention_picture.draw(retention(frozen, 50), gradient_reach(frozen, 20), "frozen").axes
    assert panels[1].texts[0].get_text() == "no gradient reaches the inputs"


def test_lines_can_be_told_apart():
    for count in (1, 6, 12, 33):
        looks = [tuple(look.items()) for look in canvas.line_looks(count)]
        assert len(set(looks)) == count
        assert all(one != other for one, other in itertools.pairwise(looks))


@pytest.mark.parametrize(
    ("kind", "options", "file", "message"),
    [
        (
            "impulse-response",
            {},
            "a.png",
            "picture: unknown 'impulse-response'; did you mean 'impulse-responses'",
        ),
        ("pool-contents", {}, "a.jpg", "--out a.jpg: suffix: unknown '.jpg'; "),
        ("pool-contents", {}, "none/a.png", "--out none/a.png: no such folder: none"),
        ("pool-contents", {"frist": "a"}, "a.png", "--options.frist: unknown key; did you mean 'first'?"),
        ("pool-contents", {"first": "aB"}, "a.png", "--options.first: expected letters a to z, got 'aB'"),
        ("pool-contents", {"first": ""}, "a.png", "--options.first: expected a text, got ''"),
        ("pool-contents", {"steps": 3}, "a.png", "--options.steps: 3 are too few for 'machinelearning'"),
        ("impulse-responses", {"base": 1}, "a.png", "--options.base: expected a number > 1"),
        ("rim-activation", {"core": 3}, "a.png", "--options.core: expected a mapping, got 3"),
        ("rim-activation", {"core": {"type": "rim"}}, "a.png", "--options.core.type: unknown 'rim'"),
        ("rim-activation", {"core": {"type": "mlp"}}, "a.png", "--options.core: MLP tells of no active RIMs"),
        (
            "rim-activation",
            {"weights": "a.pt"},
            "a.png",
            "--options.weights: a.pt: no weights of this core: ",
        ),
        ("rim-activation", {"weights": "."}, "a.png", ".: no checkpoint of an RLlib algorithm in it"),
    ],
)
def test_errors(kind, options, file, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExperimentError) as raised:
        draw(kind, options, tmp_path.__class__(file))
    assert str(raised.value).startswith(message)
    assert list(tmp_path.iterdir()) == []


def test_wrong_weights(tmp_path):
    torch.save(make_core(10, {"type": "lstm", "size": 4}).state_dict(), tmp_path / "core.pt")
    with pytest.raises(ExperimentError, match=r"no weights of this core: Error"):
        draw("rim-activation", {**RIMS, "weights": str(tmp_path / "core.pt")}, tmp_path / "a.png")
    (tmp_path / "core.pt").write_text("nothing")
    with pytest.raises(ExperimentError, match=r"no weights of this core: "):
        draw("rim-activation", {**RIMS, "weights": str(tmp_path / "core.pt")}, tmp_path / "a.png")


def test_the_command(typed, tmp_path):
    code, out, err = typed("picture", "impulse-responses", "--options", "{pools: 2, steps: 20}")
    assert (code, out, err) == (0, "written: impulse-responses.png\n", "")
    assert (tmp_path / "impulse-responses.png").exists()
    code, out, err = typed("picture", "impulse")
    assert (code, out) == (2, "")
    assert err.startswith("error: picture: unknown 'impulse'")
