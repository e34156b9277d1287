"""TextTokens: texts in observations become rows of tokens."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import gymnasium as gym
from gymnasium import spaces
from typing_extensions import override

from engram.envs.arguments import shown
from engram.envs.arrays import Ints
from engram.envs.forms.words import Tokens, Vocabulary
from engram.envs.minigrid.words import MISSION_LENGTH, MISSIONS

Encode = Callable[[Any], Any]
"""From a part of an observation, as the environment gives it, to the part as the wrapper does."""


class TextTokens(gym.ObservationWrapper[Any, Any, Any]):
    """Every text of an observation as a row of tokens (L,) int64, 0 behind its end.

    A text of `gymnasium.spaces.Text` is cut into the characters of its space; a mission of minigrid into
    words, of the one vocabulary that all of its levels have. Other spaces stay as they are, and so do texts
    inside of `Sequence` or `Graph`.

    Args:
        env: A single environment.
        vocabulary: Words to cut texts into, or the path of a file that holds them between blanks; a word that
            it lacks is `UNKNOWN`. None: as the spaces say.
        unit: What `vocabulary` holds: `words`, or `characters`.
        length: L; None: no text of the space is longer.

    Raises:
        ValueError: no text in the observations, or the vocabulary is wrong.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        vocabulary: list[str] | str | None = None,
        unit: Literal["words", "characters"] = "words",
        length: int | None = None,
    ) -> None:
        super().__init__(env)
        if not has_texts(env.observation_space):
            raise ValueError(f"there is no text in the observations, {env.observation_space}")
        if length is not None and length < 1:
            raise ValueError(f"length: expected 1 or more tokens, got {length}")
        own = None if vocabulary is None else Vocabulary(_words(vocabulary), unit)
        make = functools.partial(_tokens, vocabulary=own, length=length)
        self.observation_space, self._encode = _converted(env.observation_space, "observation", make)

    @override
    def observation(self, observation: Any) -> Any:
        return self._encode(observation)


def has_texts(space: gym.Space[Any]) -> bool:
    """Return whether a text is among the parts of an observation."""
    return any(_is_text(part) for _, part in parts(space))


def parts(space: gym.Space[Any], name: str = "observation") -> list[tuple[str, gym.Space[Any]]]:
    """List the innermost spaces of `Dict` and `Tuple` spaces by name, such as `observation['mission']`."""
    if not isinstance(space, spaces.Dict | spaces.Tuple):
        return [(name, space)]
    return [found for key, part in _inside(space) for found in parts(part, f"{name}[{key!r}]")]


def _inside(space: spaces.Dict | spaces.Tuple) -> list[tuple[Any, gym.Space[Any]]]:
    return list(space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces))


def _is_text(space: gym.Space[Any]) -> bool:
    return isinstance(space, spaces.Text) or _is_mission(space)


def _is_mission(space: gym.Space[Any]) -> bool:
    """Whether a space is one of minigrid's, which may not be there to ask."""
    return any(base.__name__ == "MissionSpace" for base in type(space).__mro__)


def _words(vocabulary: list[str] | str) -> list[str]:
    if not isinstance(vocabulary, str):
        return vocabulary
    try:
        return Path(vocabulary).expanduser().read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"vocabulary: {vocabulary!r} cannot be read: {error}") from error


def _tokens(space: Any, vocabulary: Vocabulary | None, length: int | None) -> Tokens:
    """The space of the tokens of a text's space."""
    if _is_mission(space):
        return Tokens(vocabulary or MISSIONS, length or MISSION_LENGTH)
    return Tokens(vocabulary or Vocabulary(space.characters, "characters"), length or space.max_length)


def _converted(
    space: gym.Space[Any], name: str, make: Callable[[Any], Tokens]
) -> tuple[gym.Space[Any], Encode]:
    """The space with tokens in place of texts, and what converts an observation."""
    if _is_text(space):
        tokens = make(space)
        return tokens, _Row(tokens, name)
    if not isinstance(space, spaces.Dict | spaces.Tuple):
        return space, _unchanged
    inside = {key: _converted(part, f"{name}[{key!r}]", make) for key, part in _inside(space)}
    made = {key: part for key, (part, _) in inside.items()}
    named = isinstance(space, spaces.Dict)
    encode = _Each({key: encode for key, (_, encode) in inside.items()}, name, named)
    return spaces.Dict(made) if named else spaces.Tuple(list(made.values())), encode


def _unchanged(part: Any) -> Any:
    return part


# Classes, not closures: an environment is pickled with its wrappers.


class _Each:
    """Converts the parts of an observation, by key or by place."""

    def __init__(self, encoders: Mapping[Any, Encode], name: str, named: bool) -> None:
        self._encoders, self._name, self._named = encoders, name, named

    def __call__(self, whole: Any) -> Any:
        try:
            made = {key: encode(whole[key]) for key, encode in self._encoders.items()}
        except (KeyError, IndexError, TypeError) as error:
            found = (
                f"has {', '.join(map(str, whole))}" if isinstance(whole, Mapping) else f"is {shown(whole)}"
            )
            legal = ", ".join(map(str, self._encoders))
            raise ValueError(f"{self._name} {found}; its space says {legal}") from error
        return made if self._named else tuple(made.values())


class _Row:
    """Converts a text; the last one is kept, as it often stays for a whole episode."""

    def __init__(self, tokens: Tokens, name: str) -> None:
        self._tokens, self._name = tokens, name
        self._last: tuple[str, Ints] | None = None

    def __call__(self, text: Any) -> Ints:
        if not isinstance(text, str):
            raise ValueError(f"{self._name} is {shown(text)}, its space says a text")
        if self._last is None or self._last[0] != text:
            try:
                self._last = (text, self._tokens.encode(text))
            except ValueError as error:
                raise ValueError(f"{self._name}: {error}") from error
        return self._last[1].copy()
