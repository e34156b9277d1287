"""The `model:` section and the module that it names: a recurrent core, or a network that thinks."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engram.agents.models.recurrent_network import ModelConfig, parse_recurrent_model
from engram.agents.models.thinking_network import ThinkingConfig, parse_thinking_model
from engram.memory import CORES
from engram.memory.options import unknown_message
from engram.memory.registry import load_object
from engram.memory.thinking import THINKERS, Thinker

if TYPE_CHECKING:
    from engram.agents.models.recurrent import ColumnarModule


def check_model(model: Mapping[str, Any], path: str = "model") -> ModelConfig | ThinkingConfig:
    """Checks a `model:` section.

    Args:
        model: What the user wrote.
        path: Where the user wrote it, dotted; only used in messages.

    Raises:
        ValueError: Unknown key, wrong type or value out of range, named by its path.
    """
    if not isinstance(model, Mapping):
        raise ValueError(f"{path}: expected a mapping, got {model!r}")
    if thinks(model):
        return parse_thinking_model(model, path).section
    name = _core_name(model)
    if isinstance(name, str) and not {":", "."} & set(name) and name not in CORES:
        raise ValueError(unknown_message(f"{path}.core.type", name, [*CORES, *THINKERS]))
    return parse_recurrent_model(model, path).section


def module_class(model: Mapping[str, Any]) -> type["ColumnarModule"]:
    """The module of RLlib's that a checked `model:` section asks for."""
    from engram.agents.models.recurrent import RecurrentModule  # here, because they bring RLlib
    from engram.agents.models.thinking import ThinkingModule

    return ThinkingModule if thinks(model) else RecurrentModule


def thinks(model: Mapping[str, Any]) -> bool:
    """Whether the core of a `model:` section thinks in iterations: a row of `THINKERS`, or a class."""
    name = _core_name(model)
    if not isinstance(name, str):
        return False
    if ":" not in name:
        return name in THINKERS
    try:
        found = load_object(name, "core.type")
    except ValueError:  # which `parse_recurrent_model` reports
        return False
    return isinstance(found, type) and issubclass(found, Thinker)


def answers_at_once(model: Mapping[str, Any]) -> bool:
    """Whether a checked `model:` section thinks within one step, and carries nothing to the next."""
    return thinks(model) and not model.get("carry", False)


def _core_name(model: Mapping[str, Any]) -> Any:
    core = model.get("core")
    return core.get("type") if isinstance(core, Mapping) else None
