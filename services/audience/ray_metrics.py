"""A replica's metrics on their way out: Ray's agent on each node shows them beside its own, for Prometheus.

Nobody can ask a single replica over HTTP. There each name begins with `ray_`, and a label says which replica it is.
https://docs.ray.io/en/latest/ray-observability/user-guides/add-app-metrics.html
"""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry
from ray.util.metrics import Gauge

EVERY_S = 2.0
Series = tuple[str, tuple[tuple[str, str], ...]]
"""Name and labels."""


class RayMetrics:
    """Copies the samples of `registry`. All as gauges, which can be set; a counter's is none the less only growing."""

    def __init__(self, registry: CollectorRegistry, replica: str) -> None:
        self._registry = registry
        self._replica = replica
        self._gauges: dict[str, Gauge] = {}
        self._shown: set[Series] = set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self.copy()
            await asyncio.sleep(EVERY_S)

    def copy(self) -> None:
        """Once. What has gone from the registry is shown as 0 once more, for Ray forgets nothing."""
        shown: set[Series] = set()
        for family in self._registry.collect():
            for sample in family.samples:
                if sample.name.endswith("_created"):
                    continue
                if sample.name not in self._gauges:
                    labels = (*sample.labels, "replica")
                    self._gauges[sample.name] = Gauge(sample.name, family.documentation, tag_keys=labels)
                self._set(sample.name, sample.labels, sample.value)
                shown.add((sample.name, tuple(sample.labels.items())))
        for name, gone in self._shown - shown:
            self._set(name, dict(gone), 0)
        self._shown = shown

    def _set(self, name: str, labels: dict[str, str], value: float) -> None:
        self._gauges[name].set(value, tags=labels | {"replica": self._replica})
