"""Asks a Prometheus what Grafana would ask it for a panel."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

ANSWER_S = 20.0


@dataclass(frozen=True, slots=True)
class Series:
    """One line: its labels, and its values by time (Unix time, seconds)."""

    labels: dict[str, str]
    points: Sequence[tuple[float, float]]


class Prometheus:
    """The HTTP API of a Prometheus at `url`: https://prometheus.io/docs/prometheus/latest/querying/api/

    Its methods raise httpx.HTTPError, and ValueError for a query that is none.
    """

    def __init__(self, client: httpx.AsyncClient, url: str, *, interval_s: int) -> None:
        """`interval_s` takes the place of Grafana's `$__rate_interval`."""
        self._client = client
        self._url = url
        self._interval_s = interval_s

    async def now(self, expr: str) -> list[Series]:
        """What a query answers now; values that are no numbers left out."""
        found = await self._get("query", query=self._whole(expr))
        return _series([{"metric": each["metric"], "values": [each["value"]]} for each in found["result"]])

    async def over(self, expr: str, begin: float, end: float, step_s: float) -> list[Series]:
        """What it answered from `begin` to `end` (Unix time, seconds)."""
        wanted = {"query": self._whole(expr), "start": begin, "end": end, "step": step_s}
        return _series((await self._get("query_range", **wanted))["result"])

    async def firing(self) -> list[dict[str, str]]:
        """Labels of alerts that fire."""
        found = await self._get("alerts")
        return [each["labels"] for each in found["alerts"] if each["state"] == "firing"]

    async def broken_rules(self) -> list[str]:
        """Rules that could not be evaluated, and why."""
        groups = (await self._get("rules"))["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return [f"{rule['name']}: {rule.get('lastError')}" for rule in rules if rule["health"] == "err"]

    def _whole(self, expr: str) -> str:
        return expr.replace("$__rate_interval", f"{self._interval_s}s")

    async def _get(self, what: str, **parameters: Any) -> Any:
        answer = await self._client.get(f"{self._url}/api/v1/{what}", params=parameters, timeout=ANSWER_S)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise ValueError(f"{answer.json()['error']}: {parameters.get('query')}")
        return answer.raise_for_status().json()["data"]


def _series(found: Sequence[dict[str, Any]]) -> list[Series]:
    series = []
    for each in found:
        points = [(at, number) for at, value in each["values"] if math.isfinite(number := float(value))]
        if points:
            series.append(Series(each["metric"], points))
    return series
