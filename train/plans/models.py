"""All that is wrong with a `model:` section, where building it would name the first alone."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any


def complaints(model: Mapping[str, Any], path: str) -> Iterator[str]:
    """Yield an error for each unknown key, and for each value that is wrong by itself.

    What depends on several keys, and parts that name no type, are left to `engram.agents.check_model`.

    Yields:
        Messages, as `check_model` words them.
    """
    from engram.agents.models.choice import thinks
    from engram.agents.models.recurrent_network import HeadOptions, ModelConfig
    from engram.agents.models.thinking_network import ReadoutOptions, ThinkingConfig
    from engram.memory.options import unknown_key_message

    known = (ThinkingConfig if thinks(model) else ModelConfig).__dataclass_fields__
    for key, value in model.items():
        if key not in known:
            yield unknown_key_message(path, key, known)
        elif isinstance(value, Mapping):
            parts = {"head": HeadOptions, "readout": ReadoutOptions}
            options = parts.get(key) or _options(key, value)
            yield from _in_part(options, value, f"{path}.{key}") if options else ()


def _in_encoders(parts: Any, path: str) -> Iterator[str]:
    for name, part in parts.items() if isinstance(parts, Mapping) else ():
        options = _options("encoder", part) if isinstance(part, Mapping) else None
        yield from _in_part(options, part, f"{path}.{name}") if options else ()


def _options(part: str, section: Mapping[str, Any]) -> type[Any] | None:
    """The options of what a part names; None where it names nothing that exists."""
    from engram.agents.models.choice import thinks
    from engram.agents.models.encoders import encoder_options
    from engram.memory import core_options
    from engram.memory.thinking import thinker_options

    of_core = thinker_options if thinks({"core": section}) else core_options
    try:
        type_ = (encoder_options if part == "encoder" else of_core)({"type": section.get("type")})[0]
    except ValueError:
        return None
    options: type[Any] = type_.Options
    return options


def _in_part(options: type[Any], section: Mapping[str, Any], path: str) -> Iterator[str]:
    from engram.agents.models.encoders import DictEncoderOptions, with_parts
    from engram.memory.options import unknown_key_message

    if options is DictEncoderOptions:
        section = with_parts(section)
        yield from _in_encoders(section["parts"], path)
    fields = {field.name: field for field in dataclasses.fields(options)}
    for key, value in section.items():
        if key in ("type", "preset"):
            continue
        if key not in fields:
            yield unknown_key_message(path, key, fields)
            continue
        try:
            fields[key].metadata.get("check", lambda one: one)(value)
        except ValueError as error:
            yield f"{path}.{key}: {error}"
