"""Values of RLlib's own networks: `model` without a core, checked before RLlib builds anything of it."""

import inspect
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from engram.train.console.errors import Errors, ExperimentError, quotes_hint, reason, unknown, unknown_key

_PLAIN_ACTIVATIONS = ("elu", "linear", "relu", "silu", "softmax", "swish", "tanh")  # in either case
_GIVEN = {"val": 0.0, "sparsity": 0.5}  # arguments without which an initialiser cannot be tried
_FORM = "expected [[filters, kernel, stride], ...], kernel and stride whole numbers >= 1 or pairs of them"


def check_stock_model(model: Mapping[str, Any], path: str = "config.model") -> None:
    """Refuse keys and values that RLlib's own networks cannot have, whatever the observations are.

    Raises:
        ExperimentError: all that is wrong.
    """
    from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

    known = DefaultModelConfig.__dataclass_fields__
    errors = Errors()
    for key, value in model.items():
        with errors.kept():
            if key not in known:
                raise unknown_key(path, key, ["core", *known])
            check_stock_value(key, value, path)
    for key in model:
        if key.endswith("_initializer") and _names_initializer(key, model[key]):
            with errors.kept():
                _try_initializer(key, model, path)
    errors.check()


def check_stock_value(key: str, value: Any, path: str = "config.model") -> None:
    """Refuse a value of one key.

    Raises:
        ExperimentError: it is of the wrong type, out of range, or no name that torch knows.
    """
    check = _check_of(key)
    if check is None:
        return
    try:
        check(value)
    except ValueError as error:
        hint = quotes_hint(value) if key.endswith(("_activation", "_initializer")) else ""
        raise ExperimentError(f"{path}.{key}: {str(error).removeprefix(': ')}{hint}") from None


def _check_of(key: str) -> Callable[[Any], Any] | None:
    """Return the check of a key's value; None for a key that only a newer Ray has."""
    from engram.memory import options

    made: dict[str, Any] = {
        "head_fcnet_hiddens": options.integers((), ""),
        "log_std_clip_param": options.number(20.0, "", low=0.0, high=float("inf")),
        "lstm_cell_size": options.integer(1, ""),
        "max_seq_len": options.integer(1, ""),
    }
    if key.endswith("_hiddens"):
        made.setdefault(key, options.integers((1,), ""))
    if key.endswith("_use_layernorm") or key in _SWITCHES:
        made[key] = options.boolean(False, "")
    if key in made:
        check: Callable[[Any], Any] = made[key].metadata["check"]
        return check
    if key == "conv_filters":
        return _check_filters
    for ending, build in (
        ("_activation", _check_activation),
        ("_initializer", _check_initializer),
        ("_initializer_kwargs", _check_arguments),
    ):
        if key.endswith(ending):
            return lambda value: build(key, value)
    return None


_SWITCHES = ("free_log_std", "lstm_use_prev_action", "lstm_use_prev_reward", "use_lstm", "vf_share_layers")


def _check_filters(value: Any) -> None:
    """Refuses anything but a list of layers; null stands for RLlib's own, for a few sizes of pictures."""
    if value is None:
        return
    if not isinstance(value, list) or not value:
        raise ValueError(f"{_FORM}, got {value!r}")
    for index, layer in enumerate(value):
        if not _is_layer(layer):
            raise ValueError(f"{_FORM}; layer {index + 1} is {layer!r}")


def _is_layer(layer: Any) -> bool:
    if not isinstance(layer, list) or len(layer) not in (3, 4) or not _is_count(layer[0]):
        return False
    sides = all(_is_count(side) or _is_pair(side) for side in layer[1:3])
    return sides and (len(layer) == 3 or layer[3] in ("same", "valid"))


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_count, value))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _shape(key: str) -> tuple[int, ...]:
    """Return a small shape of what a key's function is applied to: features, or weights."""
    if key.endswith("_bias_initializer"):
        return (4,)
    return (2, 2, 2, 2) if key.startswith("conv_") else (4, 4)


def _check_activation(key: str, value: Any) -> None:
    known = (*_PLAIN_ACTIVATIONS, *_activations(_shape(key)))
    if value is None or value in known or (isinstance(value, str) and value.lower() in _PLAIN_ACTIVATIONS):
        return
    raise unknown("", value, known)


@cache
def _activations(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Classes of torch.nn that are made without arguments and leave the shape as it is."""
    return tuple(_unchanging(shape))


def _unchanging(shape: tuple[int, ...]) -> Iterator[str]:
    import torch
    from torch.nn.modules import activation

    for name in activation.__all__:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Softmax guesses its axis, and says so
                made = getattr(torch.nn, name)()(torch.zeros(shape))
        except (TypeError, ValueError, RuntimeError, AssertionError):
            continue
        if made.shape == shape:
            yield name


def _check_initializer(key: str, value: Any) -> None:
    if value is not None and not _names_initializer(key, value):
        raise unknown("", value, _initializers(_shape(key)))


def _names_initializer(key: str, value: Any) -> bool:
    return isinstance(value, str) and value.lower() in _initializers(_shape(key))


@cache
def _initializers(shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the functions of torch.nn.init that fill a tensor of this number of axes."""
    import torch

    names = [name for name in vars(torch.nn.init) if name.endswith("_") and not name.startswith("_")]
    return tuple(name for name in names if _fills(name, shape))


def _fills(name: str, shape: tuple[int, ...]) -> bool:
    import torch

    given = {key: _GIVEN[key] for key in _arguments(name) & _GIVEN.keys()}
    try:
        getattr(torch.nn.init, name)(torch.zeros(shape), **given)
    except ValueError:  # it wants more axes, or fewer
        return False
    return True


def _arguments(name: str) -> set[str]:
    import torch

    return set(inspect.signature(getattr(torch.nn.init, name)).parameters) - {"tensor", "generator"}


def _check_arguments(key: str, value: Any) -> None:
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"expected a mapping, got {value!r}")


def _try_initializer(key: str, model: Mapping[str, Any], path: str) -> None:
    """Fill a small tensor as RLlib will fill its own."""
    import torch

    name, arguments = model[key].lower(), model.get(f"{key}_kwargs") or {}
    if not isinstance(arguments, dict):
        return  # which was said
    where, known = f"{path}.{key}_kwargs", _arguments(name)
    errors = Errors()
    for argument in arguments:
        if argument not in known:
            errors.add(unknown_key(where, argument, known))
    errors.check()
    missing = (known & _GIVEN.keys()) - arguments.keys()
    if missing:
        raise ExperimentError(f"{where}.{missing.pop()}: missing; {name} cannot do without it")
    try:
        getattr(torch.nn.init, name)(torch.zeros(_shape(key)), **arguments)
    except Exception as error:  # torch raises several classes for what does not fit
        raise ExperimentError(f"{where}: {name} cannot take {arguments!r}: {reason(error)}") from None
