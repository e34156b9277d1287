"""RIMs: what the paper says of them, row by row. T time, B lanes, K RIMs, H units of a RIM."""

from typing import Any

import pytest
import torch
from torch import Tensor

from engram.memory import State, make_core
from engram.memory.rims.attention import InputProjections, most
from engram.memory.rims.rims import RIMs

T, B, K, H, F = 9, 5, 4, 3, 6
SMALL = {"num_rims": K, "rim_size": H, "num_active": 2, "input_key_size": 4, "comm_heads": 2}


def build(**options: Any) -> RIMs:
    torch.manual_seed(0)
    core = make_core(F, {"type": "rims", **SMALL, **options})
    assert isinstance(core, RIMs)
    return core.double().eval()


def fragment(core: RIMs, steps: int = T) -> tuple[Tensor, State]:
    torch.manual_seed(1)
    state = {name: torch.randn_like(leaf) for name, leaf in core.initial_state(B).items()}
    return torch.randn(steps, B, F, dtype=torch.float64), state


@pytest.mark.parametrize(
    ("features", "options", "count"),
    [
        (600, {}, 1_826_400),
        (600, {"communication": False}, 1_519_200),
        (600, {"input_heads": 4}, 1_826_400),
        (600, {"input_heads": 4, "input_key_size": 256, "input_value_size": 1600}, 5_656_800),
        (64, {}, 1_577_696),
        (500, {"num_rims": 5}, 1_522_000),
        (600, {"dynamics": "gru"}, 1_525_800),
        (600, {"preset": "paper"}, 1_826_400),
        (600, {"preset": "dido"}, 2_150_864),
        # The authors' 1,649,800 that train, less the second of two biases that are only ever added.
        (600, {"preset": "authors"}, 1_649_800 - 2_400),
        (512, {"num_rims": 6, "rim_size": 85}, 1_369_648),
        (512, {"preset": "authors_atari"}, 1_109_038),
    ],
)
def test_parameter_counts(features: int, options: dict[str, Any], count: int) -> None:
    core = make_core(features, {"type": "rims", **options})
    assert sum(parameter.numel() for parameter in core.parameters()) == count


def test_attention_to_one_element_is_a_sigmoid() -> None:
    core = build()
    inputs, state = fragment(core, 1)
    attention = core.input_attention
    assert attention.key is not None
    assert attention.query is not None
    _, _, info = core(inputs, state, return_info=True)
    queries = torch.einsum("bkh,khd->bkd", state["hidden"], attention.query)
    logits = (queries * (inputs[0] @ attention.key).unsqueeze(1)).sum(-1) / 2
    null, real = info["input_attention"][0, :, 0].unbind(-1)
    torch.testing.assert_close(real, torch.sigmoid(logits))
    torch.testing.assert_close(null, torch.sigmoid(-logits))


@pytest.mark.parametrize("active", [1, 2, 3, K])
@pytest.mark.parametrize("options", [{}, {"input_heads": 2}, {"elements": 2}])
def test_those_that_heed_the_null_input_least_are_active(active: int, options: dict[str, Any]) -> None:
    core = build(num_active=active, **options)
    _, _, info = core(*fragment(core), return_info=True)
    null = info["input_attention"][..., 0].mean(2).detach()
    for t in range(T):
        for b in range(B):
            expected = sorted(range(K), key=lambda k: float(null[t, b, k]))[:active]
            assert info["active"][t, b].nonzero()[:, 0].tolist() == sorted(expected)


def test_of_equal_rims_the_first_are_active() -> None:
    """At the start of an episode every logit is zero, so that all RIMs tie."""
    core = build()
    inputs, _ = fragment(core, 1)
    _, _, info = core(inputs, core.initial_state(B), return_info=True)
    assert info["active"][0].tolist() == [[True, True, False, False]] * B
    scores = torch.tensor([[1.0, 2.0, 2.0, 2.0]]).T
    assert most(scores, 2, None)[:, 0, 0].tolist() == [False, True, True, False]
    assert most(scores, 2, torch.tensor([True, False, True, True]))[:, 0, 0].tolist() == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("dynamics", ["lstm", "gru"])
def test_inactive_rims_stay_as_they_are(dynamics: str) -> None:
    core = build(dynamics=dynamics)
    inputs, state = fragment(core, 1)
    _, after, info = core(inputs, state, return_info=True)
    idle = ~info["active"][0]
    for name, leaf in after.items():
        assert torch.equal(leaf[idle], state[name][idle])
        assert not (leaf[~idle] == state[name][~idle]).any()


def test_gradient_passes_inactive_rims_unchanged() -> None:
    core = build()
    inputs, state = fragment(core, 1)
    leaves = {name: leaf.requires_grad_() for name, leaf in state.items()}
    _, after, info = core(inputs, leaves, return_info=True)
    idle = ~info["active"][0]
    weights = torch.randn_like(after["cell"])
    for name in ("hidden", "cell"):
        loss = (after[name] * weights)[idle].sum()
        gradient = torch.autograd.grad(loss, leaves[name], retain_graph=True)[0]
        assert torch.equal(gradient[idle], weights[idle])
        assert not gradient[~idle].any()


def test_rims_without_communication_do_not_share_weights() -> None:
    core = build(communication=False)
    outputs, _ = core(*fragment(core))
    for k in range(K):
        loss = outputs.view(T, B, K, H)[:, :, k].square().sum()
        for gradient in torch.autograd.grad(
            loss, [core.weight_hh, core.input_attention.weight_ih], retain_graph=True
        ):
            assert gradient[k].any()
            assert not gradient[[j for j in range(K) if j != k]].any()


def test_active_rims_read_inactive_ones_and_cells_are_not_touched() -> None:
    core = build()
    silent = build(communication=False)
    silent.load_state_dict(core.state_dict(), strict=False)
    inputs, state = fragment(core, 1)
    _, after, info = core(inputs, state, return_info=True)
    assert torch.equal(after["cell"], silent(inputs, state)[1]["cell"])
    idle = ~info["active"][0]
    moved = torch.where(idle.unsqueeze(-1), -state["hidden"], state["hidden"])
    assert core.input_attention.query is not None
    _, other, told = core(inputs, {**state, "hidden": moved}, return_info=True)
    same = (told["active"] == info["active"]).all(-1)[0]
    assert same.any()
    both = ~idle & same.unsqueeze(-1)
    assert not (after["hidden"][both] == other["hidden"][both]).any()


@pytest.mark.parametrize("options", [{}, {"input_heads": 2}, {"dynamics": "gru"}, {"gated": True}])
def test_rims_may_be_renamed(options: dict[str, Any]) -> None:
    """Permuting the RIMs' weights and states permutes the outputs."""
    core, other = build(**options), build(**options)
    order = torch.tensor([2, 0, 3, 1])
    own = {"weight_hh", "input_attention.weight_ih", "input_attention.bias", "input_attention.query"}
    own |= {"communication.weight", "communication.out"}
    other.load_state_dict(
        {name: leaf[order] if name in own else leaf for name, leaf in core.state_dict().items()}
    )
    inputs, state = fragment(core)
    outputs, _ = core(inputs, state)
    renamed, _ = other(inputs, {name: leaf[:, order] for name, leaf in state.items()})
    torch.testing.assert_close(renamed.view(T, B, K, H), outputs.view(T, B, K, H)[:, :, order])


@pytest.mark.parametrize(
    "options", [{}, {"input_heads": 2}, {"input_bias": True}, {"input_attention": False, "num_active": K}]
)
def test_input_elements_are_a_set(options: dict[str, Any]) -> None:
    core = build(elements=3, **options)
    inputs, state = fragment(core)
    shuffled = inputs.view(T, B, 3, 2)[:, :, [2, 0, 1]].flatten(2)
    torch.testing.assert_close(core(inputs, state)[0], core(shuffled, state)[0])
    assert not torch.allclose(core(inputs, state)[0], core(inputs.flip(-1), state)[0])


def test_several_heads_of_one_element_agree_with_one_head_where_they_are_alike() -> None:
    """Two heads with the same keys read what one head reads: the loop and the product ahead of it agree."""
    one, two = build(input_value_size=8, input_key_size=2), build(input_value_size=8, input_heads=2)
    weights = one.state_dict()
    for name in ("input_attention.key", "input_attention.query"):
        weights[name] = torch.cat([weights[name], weights[name]], -1)
    two.load_state_dict(weights)
    inputs, state = fragment(one)
    torch.testing.assert_close(one(inputs, state)[0], two(inputs, state)[0])


def test_gradcheck() -> None:
    core = build(rim_size=2, comm_key_size=2, comm_value_size=2)
    inputs, state = fragment(core, 3)
    inputs = inputs[:, :2].requires_grad_()
    start = [leaf[:, :, :2][:2].requires_grad_() for leaf in state.values()]

    def run(inputs: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor) -> Tensor:
        state = {"hidden": hidden, "cell": cell}
        return torch.func.functional_call(core, {"weight_hh": weight}, (inputs, state))[0]

    assert torch.autograd.gradcheck(run, (inputs, *start, core.weight_hh))


@pytest.mark.parametrize(
    "options",
    [{}, {"communication": False}, {"num_active": K}, {"selection": "logit"}, {"bias": False}],
)
@pytest.mark.parametrize("steps", [2, T])
def test_the_written_out_loop_is_the_general_one(options: dict[str, Any], steps: int) -> None:
    """Asking for info takes the loop that autograd differentiates."""
    core = build(**options)
    inputs, state = fragment(core, steps)
    leaves = [inputs.requires_grad_(), *(leaf.requires_grad_() for leaf in state.values())]
    resets = torch.rand(steps, B) < 0.2
    results = []
    for general in (False, True):
        outputs, after, *_ = core(inputs, state, resets, return_info=general)
        loss = outputs.square().sum() + after["cell"].sum() + after["hidden"].square().sum()
        gradients = torch.autograd.grad(loss, [*leaves, *core.parameters()])
        results.append([outputs, *after.values(), *gradients])
        assert ("FusedRIMs" in str(after["cell"].grad_fn.next_functions)) != general
    torch.testing.assert_close(*results, rtol=0, atol=1e-10)


def test_others_read_the_candidate_of_an_inactive_rim() -> None:
    """Where candidates are read, the weights of inactive RIMs matter to the active ones at once."""
    for read_candidate in (False, True):
        core = build(read_candidate=read_candidate)
        inputs, state = fragment(core, 1)
        outputs, _, info = core(inputs, state, return_info=True)
        lane = 0
        busy = info["active"][0, lane]
        own = outputs.view(B, K, H)[lane, busy].square().sum()
        gradient = torch.autograd.grad(own, core.weight_hh)[0]
        assert gradient[busy].any()
        assert gradient[~busy].any() == read_candidate


def test_communication_need_not_train_inactive_rims() -> None:
    for block in (False, True):
        core = build(block_inactive=block)
        inputs, state = fragment(core, 1)
        hidden = state["hidden"].requires_grad_()
        outputs, _, info = core(inputs, state, return_info=True)
        busy = info["active"][0]
        loss = outputs.view(B, K, H)[busy].square().sum()
        gradient = torch.autograd.grad(loss, hidden)[0]
        assert gradient[busy].any()
        assert gradient[~busy].any() != block


@pytest.mark.parametrize(
    "options",
    [
        {"input_dropout": 0.5},
        {"input_dropout": 0.5, "input_dropout_on": "output"},
        {"comm_dropout": 0.5},
        {"comm_dropout": 0.5, "comm_dropout_on": "weights"},
        {"comm_dropout": 0.5, "gated": True},
    ],
)
def test_dropout_acts_in_training_only(options: dict[str, Any]) -> None:
    core = build(**options)
    inputs, state = fragment(core)
    plain = build(gated=options.get("gated", False))
    torch.testing.assert_close(core(inputs, state)[0], plain(inputs, state)[0])
    core.train()
    assert not torch.equal(core(inputs, state)[0], core(inputs, state)[0])


@pytest.mark.parametrize(
    ("options", "active"),
    [
        ({}, 2),
        ({"num_active": K}, K - 1),
        ({"input_attention": False, "num_active": K}, K - 1),
        ({"compete": "rims"}, 2),
        ({"compete": "rims", "margin": True}, 2),
    ],
)
def test_dropped_rims_are_gone(options: dict[str, Any], active: int) -> None:
    core = build(**options)
    inputs, state = fragment(core)
    whole, _ = core(inputs, state)
    core.drop_rims([1])
    outputs, after, info = core(inputs, state, return_info=True)
    assert not outputs.view(T, B, K, H)[:, :, 1].any()
    assert not any(leaf[:, 1].any() for leaf in after.values())
    assert not info["active"][..., 1].any()
    assert (info["active"].sum(-1) == active).all()
    assert not info["comm_attention"][..., 1].any()
    disturbed = {name: leaf.index_fill(1, torch.tensor([1]), 100.0) for name, leaf in state.items()}
    assert torch.equal(core(inputs, disturbed)[0], outputs)
    core.drop_rims()
    assert torch.equal(core(inputs, state)[0], whole)
    for wrong in ([K], [-1], range(K)):
        with pytest.raises(ValueError, match="rims: expected some, not all, of 0 to 3"):
            core.drop_rims(wrong)


def test_saturated_attention_still_ranks() -> None:
    """The null input gets all attention to the last digit, and yet one RIM heeds it least."""
    core = build(num_active=1).float()
    attention = core.input_attention
    logits = torch.tensor([-40.0, -36.0, -38.0, -44.0])
    queries = torch.zeros(K, B, 4)
    queries[..., 0] = logits.unsqueeze(1) * 2
    keys = torch.tensor([1.0, 0, 0, 0]).expand(B, 1, 1, 4)
    chosen = attention.attend(queries, InputProjections(keys, torch.empty(0)), None)
    assert (chosen.weights[..., 0] == 1).all()
    assert chosen.active[:, 0, 0].tolist() == [False, True, False, False]


def test_a_random_start_is_drawn_where_an_episode_starts() -> None:
    core = build(initial_state="random")
    inputs, state = fragment(core)
    resets = torch.zeros(T, B, dtype=torch.bool)
    assert torch.equal(core(inputs, state, resets)[0], core(inputs, state)[0])
    before = torch.get_rng_state()
    core(inputs, state, resets)
    assert torch.equal(torch.get_rng_state(), before)
    resets[3, 1] = True
    assert not torch.equal(core(inputs, state, resets)[0], core(inputs, state, resets)[0])


def test_sharp_competition_is_finite() -> None:
    core = build(compete="rims", input_heads=2, num_active=1)
    assert core.input_attention.key is not None
    with torch.no_grad():
        core.input_attention.key.mul_(1e3)
    outputs, _ = core(*fragment(core))
    assert outputs.isfinite().all()


def test_competition_between_rims_shares_out_the_input() -> None:
    core = build(compete="rims", input_heads=2)
    _, _, info = core(*fragment(core), return_info=True)
    shares = info["input_attention"][..., 1]
    torch.testing.assert_close(shares.sum(-1), torch.ones(T, B, 2, dtype=torch.float64))
    assert torch.equal(shares[:, :, 0] > 0, info["active"])
    assert not info["input_attention"][..., 0].any()


def test_the_next_share_is_subtracted_before_shares_are_scaled() -> None:
    """The rule in one line, against what the core tells, and the gradient of a head on it."""
    core = build(preset="authors_atari")
    inputs, state = fragment(core, 1)
    attention, hidden = core.input_attention, state["hidden"].requires_grad_()
    assert attention.key is not None
    assert attention.query is not None
    queries = torch.einsum("bkh,khd->bkd", hidden, attention.query)
    shares = torch.softmax((queries * (inputs[0] @ attention.key).unsqueeze(1)).sum(-1) / 2, 1)
    kept = (shares - shares.sort(1, descending=True).values[:, 2:3]).clamp(min=0)
    expected = kept / kept.sum(1, keepdim=True)
    _, _, info = core(inputs, state, return_info=True)
    got = info["input_attention"][0, :, 0, :, 1]
    torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)
    assert torch.equal(got > 0, info["active"][0])
    assert not info["input_attention"][..., 0].any()
    head = torch.randn(B, K, dtype=torch.float64)
    slopes = [
        torch.autograd.grad((each * head).sum(), hidden, retain_graph=True)[0] for each in (got, expected)
    ]
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-10)


def test_rims_that_attend_alike_read_nothing_and_go_on() -> None:
    core = build(preset="authors_atari")
    inputs, _ = fragment(core)
    outputs, _, info = core(inputs, core.initial_state(B), return_info=True)
    assert not info["input_attention"][0].any()
    assert info["input_attention"][1].any()
    gradients = torch.autograd.grad(outputs.sum(), list(core.parameters()), allow_unused=True)
    assert all(gradient is None or gradient.isfinite().all() for gradient in gradients)


def test_initial_states() -> None:
    assert not any(leaf.any() for leaf in build().initial_state(B).values())
    learned = build(initial_state="learned")
    assert learned.learned_start is not None
    torch.nn.init.normal_(learned.learned_start)
    start = learned.initial_state(B)
    assert torch.equal(start["cell"], learned.learned_start[1].expand(B, K, H))
    inputs, _ = fragment(learned)
    gradient = torch.autograd.grad(learned(inputs, start)[0].sum(), learned.learned_start)[0]
    assert gradient.any()
    random = build(initial_state="random")
    assert not torch.equal(random.initial_state(1)["hidden"], random.initial_state(1)["hidden"])
    assert not torch.equal(*random.initial_state(2)["hidden"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_active": 7}, r"core.num_active: expected at most num_rims, 6, got 7"),
        ({"input_heads": 3}, r"core.input_key_size: expected a multiple of input_heads, 3, got 64"),
        (
            {"input_heads": 2, "input_value_size": 3},
            r"core.input_value_size: expected a multiple of input_heads, 2",
        ),
        ({"input_attention": False}, r"core.num_active: expected num_rims"),
        ({"compete": "rims", "elements": 2}, r"core.compete: 'rims' is defined for one input element"),
        (
            {"preset": "autors"},
            r"core.preset: unknown 'autors'; did you mean 'authors'\? known: authors, authors_atari, dido",
        ),
        ({"margin": True}, r"core.margin: no effect with compete: inputs; set compete: rims, or leave"),
        ({"elements": 7}, r"core.elements: expected a divisor of the 600 features, got 7"),
        ({"comm_dropout": 1.0}, r"core.comm_dropout: expected a number"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_core(600, {"type": "rims", **options})
