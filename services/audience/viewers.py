"""What choosing needs to know of the viewers met lately."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from services.core.events import ViewerState

REMEMBERED = 2000
"""Viewers kept in memory; who was met longest ago is forgotten first."""
KEPT = 100
"""Of them, so many are kept in the state: those that were answered or gave something."""
WROTE, SAID = 10, 3


@dataclass(slots=True, eq=False)
class Viewer:
    """One viewer of a room."""

    kept: ViewerState | None = None
    """What is worth keeping; None of who was never answered and gave nothing."""
    wrote_ms: tuple[int, ...] = ()
    """When the last WROTE messages came."""
    said: tuple[str, ...] = ()
    """What the last SAID messages said (Form.key)."""

    @property
    def answered_ms(self) -> int:
        """Unix time of the last answer; 0 when there was none."""
        return self.kept.answered_at_ms if self.kept is not None else 0

    @property
    def given_fen(self) -> int:
        """Value of all that the viewer gave."""
        return self.kept.given_fen if self.kept is not None else 0

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
        # Copies: who keeps the states empties the list that these are of.
        self._viewers = OrderedDict(
            (state.viewer_id, Viewer(ViewerState.FromString(state.SerializeToString()))) for state in kept
        )

    def meet(self, viewer_id: str) -> Viewer:
        """The viewer, from now on the one met last."""
        viewer = self._viewers.setdefault(viewer_id, Viewer())
        self._viewers.move_to_end(viewer_id)
        if len(self._viewers) > REMEMBERED:
            self._viewers.popitem(last=False)
        return viewer

    def gave(self, viewer_id: str, value_fen: int) -> None:
        """The viewer gave something of this value, in fen (0.01 CNY)."""
        self._keep(viewer_id).given_fen += value_fen

    def answered(self, viewer_id: str, now_ms: int) -> None:
        """The viewer gets an answer now."""
        self._keep(viewer_id).answered_at_ms = now_ms

    def _keep(self, viewer_id: str) -> ViewerState:
        viewer = self.meet(viewer_id)
        if viewer.kept is None:
            viewer.kept = ViewerState(viewer_id=viewer_id)
        self.changed = True
        return viewer.kept

    def states(self) -> list[ViewerState]:
        """What is worth keeping, who was met longest ago first."""
        kept = (viewer.kept for viewer in reversed(self._viewers.values()) if viewer.kept is not None)
        worth = (state for state in kept if state.answered_at_ms or state.given_fen)
        return list(islice(worth, KEPT))[::-1]
