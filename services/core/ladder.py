"""A ladder of rungs, best first: which ones to try now, and which ones rest after they failed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from services.core.clock import Clock
from services.core.metrics import Metrics

REST_S = (5.0, 10.0, 30.0, 60.0)
"""How long a rung rests after its first, second … failure in a row; then it is tried again."""


class Ladder:
    """The last rung never rests: something always answers."""

    def __init__(self, rungs: Sequence[str], clock: Clock, metrics: Metrics, *, service: str) -> None:
        if not rungs:
            raise ValueError(f"the ladder of {service} has no rung")
        self._rungs = tuple(rungs)
        self._clock = clock
        self._metrics = metrics
        self._service = service
        self._failures: dict[str, int] = {}
        self._rests_until: dict[str, float] = {}
        for rung in self._rungs[:-1]:
            metrics.rung_resting.labels(service, rung).set_function(partial(self._rests, rung))

    def usable(self) -> list[str]:
        """Rungs to try now, best first."""
        return [rung for rung in self._rungs[:-1] if not self._rests(rung)] + [self._rungs[-1]]

    def _rests(self, rung: str) -> bool:
        return self._rests_until.get(rung, 0.0) > self._clock.monotonic()

    def served(self, rung: str) -> None:
        """The rung did its work."""
        self._failures.pop(rung, None)
        self._metrics.rung.labels(self._service, rung).inc()

    def failed(self, rung: str) -> None:
        """The rung failed: it rests, longer each time."""
        failures = self._failures.get(rung, 0)
        self._failures[rung] = failures + 1
        self._rests_until[rung] = self._clock.monotonic() + REST_S[min(failures, len(REST_S) - 1)]
        self._metrics.rung_failed.labels(self._service, rung).inc()
