"""What a dashboard is made of. English and Chinese stand side by side in everything that people read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Source = Literal["lydia", "triton", "ray"]
"""Whose metrics a panel shows."""
Unit = Literal["s", "ms", "short", "percentunit", "bytes", "reqps", "yuan"]
"""As Grafana calls it; "yuan" is a currency there."""


@dataclass(frozen=True, slots=True)
class Words:
    """The same in two languages."""

    en: str
    zh: str


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL, and the name of each of its series: Grafana's `{{label}}` stands for a label's value."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture of one thing."""

    title: Words
    unit: Unit
    queries: tuple[Query, ...]
    bad: Words
    """What to do when it looks bad."""
    source: Source = "lydia"
    kind: Literal["timeseries", "stat"] = "timeseries"
    quiet: bool = False
    """It shows nothing, not even zero, while all is well."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels, for one kind of reader."""

    name: str
    """Of its file and its address."""
    title: Words
    reader: Words
    """Who reads it, and for what."""
    panels: tuple[Panel, ...]


def quantiles(
    metric: str, by: str = "", *, of: str = "", q: tuple[float, ...] = (0.5, 0.95, 0.99)
) -> tuple[Query, ...]:
    """Quantiles of a histogram over the panel's interval, by a label; `of` selects series (`lane="paid"`)."""
    labels = f"le, {by}" if by else "le"
    rate = f"sum by ({labels}) (rate({metric}_bucket{{{of}}}[$__rate_interval]))"
    legend = f"{{{{{by}}}}} " if by else ""
    return tuple(Query(f"histogram_quantile({share}, {rate})", f"{legend}p{share * 100:g}") for share in q)


def rates(metric: str, by: str, *, of: str = "") -> tuple[Query]:
    """How often a second a counter goes up, by a label; `of` selects series (`lane="paid"`)."""
    chosen = f"{{{of}}}" if of else ""
    return (Query(f"sum by ({by}) (rate({metric}{chosen}[$__rate_interval]))", f"{{{{{by}}}}}"),)
