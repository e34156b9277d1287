"""Encoders by name: one observation becomes F features, by the table `ENCODERS`.

N stands for any number of observations at once.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import override

from engram.agents.models import spaces
from engram.agents.models.boards import ConvEncoder, GridConvEncoder, MLPEncoder, OneHotEncoder
from engram.agents.models.encoder import Encoder, EncoderOptions, Modulation
from engram.agents.models.observations import CODES_SIDE, PartsReader, parts_of
from engram.agents.models.pictures import DQNEncoder, ImpalaEncoder, NatureEncoder, suiting
from engram.agents.models.spaces import AnySpace, frames_in, named
from engram.agents.models.texts import BagEncoder, GRUEncoder, TextEncoder
from engram.memory.options import (
    Options,
    choice,
    parse_options,
    section,
    text,
    unknown_key_message,
    unknown_message,
)
from engram.memory.registry import build_class, choose_class

__all__ = ["ENCODERS", "Encoder", "EncoderOptions", "encoder_options", "make_encoder"]

JOINS = ("concat", "film")


@dataclass(frozen=True, kw_only=True)
class AutoEncoderOptions(Options):
    """Options of `auto`: there are none."""


class AutoEncoder(Encoder):
    """The encoder that suits the space: `mlp` of numbers, `gru` of texts, `dict` of `Dict` and `Tuple`.

    Of pictures of several frames, such as those of Atari games, `nature`, or `dqn` where they are small.
    """

    Options = AutoEncoderOptions

    @classmethod
    @override
    def build(cls, space: AnySpace, options: Any, path: str, name: str) -> Any:
        fitting = part_type(space)
        whole = fitting in ("dict", "gru") or frames_in(space) > 1
        return make_encoder(space, {"type": fitting if whole else "mlp"}, path)


@dataclass(frozen=True, kw_only=True)
class NoneEncoderOptions(Options):
    """Options of `none`: there are none."""


class NoneEncoder(Encoder):
    """Leaves a part of a `Dict` or `Tuple` out: no layer, no features.

    Such as a mission that is the same in every episode.
    """

    Options = NoneEncoderOptions

    @classmethod
    @override
    def build(cls, space: AnySpace, options: Any, path: str, name: str) -> Self:
        raise ValueError(
            f"{path}.type: {name!r} leaves out a part of what 'dict' encodes; here nothing would be left"
        )


def part_type(space: AnySpace) -> str:
    """Returns the type of the encoder of a part of an observation, where nothing is said of it."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        return "dict"
    if hasattr(space, "vocabulary"):
        return "gru"
    if not isinstance(space, spaces.Box):
        return "one_hot"
    if len(space.shape) != 3:
        return "mlp"
    if frames_in(space) > 1:
        return suiting(space.shape)
    whole = not np.issubdtype(space.dtype, np.floating)
    board = whole and max(space.shape[:2]) < CODES_SIDE
    return "grid_conv" if board and min(space.shape[:2]) >= 7 else "conv"


@dataclass(frozen=True, kw_only=True)
class DictEncoderOptions(Options):
    """Options of `dict`."""

    join: str = choice(
        "concat",
        "how the parts come together. concat: side by side; film: one part scales and shifts the layers of "
        "pictures (FiLM, Perez et al. 2018) and is not seen otherwise, the rest is side by side",
        JOINS,
    )
    film: str | None = text(
        None, "with join: film, the part that scales and shifts; null: the only text", "a part, or null"
    )
    parts: Mapping[str, Any] = section(
        {},
        "the encoder of each part by its name (of a Tuple: 0, 1, ...); may be written beside `join`, too: "
        "{type: dict, image: {type: conv}}. A part of which nothing is said has the encoder that suits it: "
        "conv or grid_conv for a picture, mlp for a row of numbers, one_hot for symbols, gru for a text, and "
        "dict for a Dict or Tuple. none leaves a part out",
    )


class DictEncoder(Encoder):
    """An encoder for each part of a `Dict` or `Tuple`; features side by side, or one modulates others."""

    Options = DictEncoderOptions

    def __init__(
        self, reader: PartsReader, options: DictEncoderOptions, parts: Mapping[str, Encoder]
    ) -> None:
        super().__init__(reader, options)
        self.names, self.parts = tuple(parts), nn.ModuleList(parts.values())
        self.film: str | None = None
        if options.join != "film" and options.film is not None:
            raise ValueError(f"film: no effect with join: {options.join}; set join: film, or leave film out")
        if options.join == "film":
            self._build_modulations(options.film, parts)
        sizes = [part.output_size for name, part in parts.items() if name != self.film]
        self.output_size = sum(sizes)

    def _build_modulations(self, film: str | None, parts: Mapping[str, Encoder]) -> None:
        """One modulation for each layer of each picture.

        Raises:
            ValueError: It is not clear which part scales and shifts, or there is nothing that it could.
        """
        texts = [name for name, part in parts.items() if isinstance(part, TextEncoder)]
        if film is None and len(texts) != 1:
            raise ValueError(f"film: expected one of {', '.join(parts)}; it is clear where there is one text")
        self.film = film or texts[0]
        if self.film not in parts:
            raise ValueError(unknown_message("film", self.film, parts))
        features = parts[self.film].output_size
        pictures = {
            name: part.modulated if len(part.reader.shape) == 3 and name != self.film else ()
            for name, part in parts.items()
        }
        if not any(pictures.values()):
            raise ValueError(
                "join: 'film' needs a picture, of shape (rows, columns, planes), that is encoded by conv, "
                "grid_conv or mlp"
            )
        self.modulations = nn.ModuleList(
            nn.ModuleList(Modulation(features, planes) for planes in layers) for layers in pictures.values()
        )

    @classmethod
    @override
    def build(cls, space: AnySpace, options: DictEncoderOptions, path: str, name: str) -> Self:
        if not isinstance(space, spaces.Dict | spaces.Tuple):
            raise ValueError(f"{path}.type: 'dict' is for a Dict or Tuple, got {named(space)}; use 'mlp'")
        found = parts_of(space)
        if not found:
            raise ValueError(f"{path}: there is nothing to encode in {named(space)}")
        for key in options.parts:
            if key not in found:
                raise ValueError(unknown_key_message(path, key, [*found, *_DICT_OPTIONS]))
        chosen = {key: options.parts.get(key, {"type": part_type(part)}) for key, part in found.items()}
        parts = {
            key: make_encoder(found[key], part, f"{path}.{key}")
            for key, part in chosen.items()
            if part["type"] != "none"
        }
        if not parts:
            raise ValueError(f"{path}: all parts of {named(space)} are left out; one has to be encoded")
        reader = PartsReader(space, {key: part.reader for key, part in parts.items()})
        return build_class(cls, path, name, reader, options, parts)

    def forward(self, prepared: Mapping[str, Any]) -> Tensor:
        """Prepared parts by name, each (N, ...), to (N, output_size)."""
        if self.film is None:
            return torch.cat([part(prepared[name]) for name, part in self.rows()], dim=1)
        by_name = dict(self.rows())
        conditions = by_name[self.film](prepared[self.film])
        features = []
        modulations: Iterable[Any] = self.modulations
        for (name, part), layers in zip(self.rows(), modulations, strict=True):
            if name != self.film:
                how = [layer(conditions) for layer in layers]
                features.append(part(prepared[name], how) if how else part(prepared[name]))
        return torch.cat(features, dim=1)

    @override
    def named_parts(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for number, (name, part) in enumerate(self.rows()):
            here, said = f"parts.{number}", f"parts.{name}"
            found |= {here: said, f"modulations.{number}": f"modulations.{name}"}
            found |= {f"{here}.{key}": f"{said}.{value}" for key, value in part.named_parts().items()}
        return found

    def rows(self) -> list[tuple[str, Encoder]]:
        """Returns the name and the encoder of each part, in the order of the space."""
        parts: Iterable[Any] = self.parts
        return list(zip(self.names, parts, strict=True))


_DICT_OPTIONS = tuple(DictEncoderOptions.__dataclass_fields__)

ENCODERS: dict[str, type[Encoder]] = {
    "auto": AutoEncoder,
    "bag": BagEncoder,
    "conv": ConvEncoder,
    "dict": DictEncoder,
    "dqn": DQNEncoder,
    "grid_conv": GridConvEncoder,
    "gru": GRUEncoder,
    "impala": ImpalaEncoder,
    "mlp": MLPEncoder,
    "nature": NatureEncoder,
    "none": NoneEncoder,
    "one_hot": OneHotEncoder,
}
"""Encoder name to class; one row makes an encoder exist."""


def make_encoder(space: AnySpace, options: Mapping[str, Any], path: str = "encoder") -> Encoder:
    """Builds an encoder; the only place where an encoder's name becomes a class.

    Args:
        space: The observation space of one lane.
        options: `{"type": name, ...}`, the `encoder:` section of an experiment. A name is a row of `ENCODERS`
            or, for a class of your own, `package.module:Class`.
        path: Where the options were written, dotted; only used in messages.

    Raises:
        ValueError: Unknown type or key, a value out of range, or a space that cannot be encoded so, named by
            its path.
    """
    encoder_class, parsed = encoder_options(options, path)
    return encoder_class.build(space, parsed, path, options["type"])


def encoder_options(options: Mapping[str, Any], path: str = "encoder") -> tuple[type[Encoder], Options]:
    """Checks the options of an encoder without building it; arguments and errors as in `make_encoder`."""
    encoder_class, values = choose_class(options, path, ENCODERS, Encoder)
    if issubclass(encoder_class, DictEncoder):
        values = with_parts(values)
    parsed = parse_options(encoder_class.Options, values, path)
    for key, part in parsed.parts.items() if isinstance(parsed, DictEncoderOptions) else ():
        encoder_options(part, f"{path}.{key}")
    return encoder_class, parsed


def with_parts(values: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options of `dict`, its `type` apart, with the parts that are beside them among `parts`."""
    own = {key: value for key, value in values.items() if key in _DICT_OPTIONS}
    beside = {key: value for key, value in values.items() if key not in (*_DICT_OPTIONS, "type")}
    inside = own.get("parts", {})
    return own | {"parts": {**beside, **inside} if isinstance(inside, Mapping) else inside}
