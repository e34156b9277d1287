"""Sequence Recall's things on pycolab's stage: they share one `Scene`.

Order of a frame: the stage charges the step and goes on with the demonstration, a free player moves and
switches the lights it enters and leaves, then the lights, the mask of the dark ones and the pen show it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from pycolab.plot import Plot
from pycolab.things import Backdrop, Drape, Sprite

from engram.envs.forms.actions import MOVES
from engram.envs.forms.rules import timeout_frame
from engram.envs.games.sequence_recall import rules

DARK = ""  # instead of a light


@dataclass
class Scene:
    """What the things of one episode tell each other; a light goes by its character."""

    sequence: str
    on: int
    off: int
    pause: int
    timeout_frames: int
    lit: str = DARK
    free: bool = False  # the pen is open
    entered: int = 0  # lights entered, right or wrong
    recalled: int = 0  # right ones
    last_frame: int = field(init=False)

    def __post_init__(self) -> None:
        self.last_frame = timeout_frame(self.timeout_frames)

    @property
    def delay(self) -> int:
        """Env steps from the last sight of the first light to the first observation whose action counts."""
        return len(self.sequence[1:]) * (self.off + self.on) + self.pause

    @property
    def done(self) -> bool:
        """All lights have been entered."""
        return self.entered == len(self.sequence)

    def demonstrated(self, frame: int) -> str | None:
        """What is lit on a frame before the pen opens; None from then on."""
        index, age = divmod(frame, self.off + self.on)
        if index < len(self.sequence):
            return self.sequence[index] if age >= self.off else DARK
        opening = len(self.sequence) * (self.off + self.on) + self.pause
        return DARK if frame < opening else None


class Stage(Backdrop):  # type: ignore[misc]
    """Ground and border; being first in each frame, it charges the step and leads the demonstration."""

    def __init__(self, curtain: Any, palette: Any, scene: Scene) -> None:
        super().__init__(curtain, palette)
        curtain.fill(ord(" "))
        curtain[rules.wall_cells()] = ord("#")
        self._scene = scene

    def update(self, actions: Any, board: Any, layers: Any, things: Any, the_plot: Plot) -> None:
        """Charge the step or end the episode; light the next light, or open the pen."""
        scene = self._scene
        if the_plot.frame >= scene.last_frame:
            the_plot.terminate_episode()
        elif the_plot.frame > 1:
            the_plot.add_reward(rules.STEP_REWARD)
        if not scene.free:
            shown = scene.demonstrated(the_plot.frame)
            scene.free = shown is None
            scene.lit = shown or DARK


class Player(Sprite):  # type: ignore[misc]
    """Walks when the pen is open, until it has entered as many lights as were shown."""

    def __init__(self, corner: Any, position: Any, character: str, scene: Scene) -> None:
        super().__init__(corner, position, character)
        self._scene = scene

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Move, then see whether a light was entered or left."""
        scene = self._scene
        if not scene.free or scene.done:
            return
        self._move(MOVES[actions], board)
        here = next((light for light in rules.LIGHTS if things[light].disc[self.position]), DARK)
        if here and not scene.lit:
            self._enter(here, the_plot)
        elif not here:
            scene.lit = DARK

    def _move(self, move: tuple[int, int], board: Any) -> None:
        there = self.Position(self.position.row + move[0], self.position.col + move[1])
        if board[there] != ord("#"):
            self._position = there

    def _enter(self, light: str, the_plot: Plot) -> None:
        scene = self._scene
        if light == scene.sequence[scene.entered]:
            scene.recalled += 1
            the_plot.add_reward(rules.LIGHT_REWARD)
        scene.lit = light
        scene.entered += 1
        # The end is set a frame later, so a timeout up to then still counts.
        if scene.done and scene.last_frame > the_plot.frame + 1:
            scene.last_frame = the_plot.frame + rules.FAREWELL


class Light(Drape):  # type: ignore[misc]
    """A disc, painted while it is lit."""

    def __init__(self, curtain: Any, character: str, scene: Scene) -> None:
        super().__init__(curtain, character)
        self._scene = scene
        self.disc = rules.light_cells(rules.LIGHTS.index(character) + 1)

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Be lit or not."""
        self.curtain[:] = self.disc & (self._scene.lit == self.character)


class Mask(Drape):  # type: ignore[misc]
    """Covers the lights that are dark."""

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Look where there are lights that are not lit."""
        self.curtain.fill(False)
        for light in rules.LIGHTS:
            self.curtain[things[light].disc & ~things[light].curtain] = True


class Pen(Drape):  # type: ignore[misc]
    """Rings the player until the demonstration is over; it is for show, the player waits by itself."""

    def __init__(self, curtain: Any, character: str, scene: Scene) -> None:
        super().__init__(curtain, character)
        curtain[rules.pen_cells()] = True
        self._scene = scene

    def update(
        self, actions: Any, board: Any, layers: Any, backdrop: Any, things: Any, the_plot: Plot
    ) -> None:
        """Open."""
        if self._scene.free:
            self.curtain.fill(False)
