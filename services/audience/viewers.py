"""What choosing needs to know of the viewers met lately."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from services.core.events import ViewerState

REMEMBERED = 2000
"""Viewers kept in memory; who was met longest ago is forgotten first."""
KEPT = 100
"""Of them, so many are kept in the state: those that were answered or gave something."""
WROTE, SAID = 10, 3


@dataclass(slots=True, eq=False)
class Viewer:
    """One viewer of a room."""

    answered_ms: int = 0
    """Unix time of the last answer; 0 when there was none."""
    given_fen: int = 0
    wrote_ms: tuple[int, ...] = ()
    """When the last WROTE messages came."""
    said: tuple[str, ...] = ()
    """What the last SAID messages said (Form.key)."""

    def wrote(self, at_ms: int, key: str | None = None) -> None:
        """A message came; `key`: what it said, if that is to be remembered."""
        # Most viewers of a crowd write once or only give: rings of a fixed size would hold a kilobyte of each for that.
        self.wrote_ms = (*self.wrote_ms, at_ms)[-WROTE:]
        if key is not None:
            self.said = (*self.said, key)[-SAID:]


class Viewers:
    """A bounded memory, by viewer id."""

    def __init__(self, kept: Iterable[ViewerState]) -> None:
        self.changed = False
        """Whether `states` has changed; who keeps them sets it back."""
        self._viewers = OrderedDict((state.viewer_id, Viewer(state.answered_at_ms, state.given_fen)) for state in kept)

    def meet(self, viewer_id: str) -> Viewer:
        """The viewer, from now on the one met last."""
        viewer = self._viewers.setdefault(viewer_id, Viewer())
        self._viewers.move_to_end(viewer_id)
        if len(self._viewers) > REMEMBERED:
            self._viewers.popitem(last=False)
        return viewer

    def gave(self, viewer_id: str, value_fen: int) -> None:
        """The viewer gave something of this value, in fen (0.01 CNY)."""
        self.meet(viewer_id).given_fen += value_fen
        self.changed = True

    def answered(self, viewer_id: str, now_ms: int) -> None:
        """The viewer gets an answer now."""
        self.meet(viewer_id).answered_ms = now_ms
        self.changed = True

    def states(self) -> list[ViewerState]:
        """What is worth keeping, who was met longest ago first."""
        found: list[ViewerState] = []
        for viewer_id, viewer in reversed(self._viewers.items()):
            if viewer.answered_ms or viewer.given_fen:
                found.append(
                    ViewerState(viewer_id=viewer_id, answered_at_ms=viewer.answered_ms, given_fen=viewer.given_fen)
                )
                if len(found) == KEPT:
                    break
        return found[::-1]
