"""Plots as inline SVG, drawn by hand: a report is one file that needs nothing else. Colours come from the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import TypeVar

from loadtests.bench import percentile

WIDTH, HEIGHT = 760, 280
LEFT, RIGHT, TOP, BOTTOM = 60, 16, 12, 40
POINTS = 2000
"""More are thinned out: nobody could tell them apart."""

T = TypeVar("T")
Scale = Callable[[float], float]


def cdf(series: Mapping[str, Sequence[float]]) -> str:
    """Share of values (upwards, 0 to 100 %) that are not above a time (to the right, milliseconds, logarithmic)."""
    values = [max(value, 0.1) for of in series.values() for value in of]
    if not values:
        return ""
    x, ticks = _logarithmic(min(values), max(values))
    y = _linear(0, 1, HEIGHT - BOTTOM, TOP)
    drawn = [_grid_x(x, ticks), _grid_y(y, (0, 0.25, 0.5, 0.75, 0.95, 1), lambda share: f"{share:.0%}")]
    for number, of in enumerate(series.values()):
        ordered = _thinned(sorted(max(value, 0.1) for value in of))
        steps = [f"{x(value):.1f},{y((place + 1) / len(ordered)):.1f}" for place, value in enumerate(ordered)]
        if steps:
            drawn.append(f'<polyline class="line c{number % 8}" points="{" ".join(steps)}"/>')
    return _figure(drawn, "ms", list(series))


def timeline(
    series: Mapping[str, Sequence[tuple[float, float]]], seconds: float, marks: Sequence[tuple[float, str]] = ()
) -> str:
    """Latency (upwards, ms, logarithmic) by scheduled time (to the right, seconds); marks are what was lost."""
    values = [max(ms, 0.1) for of in series.values() for _, ms in of]
    if not values and not marks:
        return ""
    y, ticks = _logarithmic(min(values, default=1), max(values, default=1000), HEIGHT - BOTTOM, TOP)
    x = _linear(0, seconds, LEFT, WIDTH - RIGHT)
    drawn = [
        _grid_x(x, [seconds * part / 6 for part in range(7)], "{:.0f}"),
        _grid_y(y, ticks, _ms),
        *(
            f'<circle class="dot c{number % 8}" cx="{x(at):.1f}" cy="{y(max(ms, 0.1)):.1f}" r="2.5"/>'
            for number, of in enumerate(series.values())
            for at, ms in _thinned(of)
        ),
        *(
            f'<g class="lost"><title>{escape(what)}</title>'
            f'<path d="M{x(at) - 4:.1f} {TOP + 2} l8 8 m0 -8 l-8 8 M{x(at):.1f} {TOP + 12} V{HEIGHT - BOTTOM}"/></g>'
            for at, what in marks[:POINTS]
        ),
    ]
    return _figure(drawn, "s since the begin", list(series))


def stacked(rows: Mapping[str, Mapping[str, Sequence[float]]], shares: Sequence[float] = (0.5, 0.95)) -> str:
    """A bar for each row and percentile: the stages' percentiles one after the other, in milliseconds.

    Percentiles do not add up; the bars say which stage is large, not how long the whole takes.
    """
    stages = list(dict.fromkeys(stage for row in rows.values() for stage in row))
    bars = [
        (f"{name} p{share * 100:.0f}", [percentile(row.get(stage, ()), share) for stage in stages])
        for name, row in rows.items()
        for share in shares
    ]
    most = max((sum(part for part in bar if not math.isnan(part)) for _, bar in bars), default=0)
    if not most:
        return ""
    left, height = 150, 26
    x = _linear(0, most, left, WIDTH - RIGHT)
    bottom = TOP + height * len(bars)
    drawn = []
    for place, (name, bar) in enumerate(bars):
        y, at = TOP + place * height, 0.0
        drawn.append(f'<text x="{left - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>')
        for number, part in enumerate(bar):
            if math.isnan(part):
                continue
            drawn.append(
                f'<rect class="c{number % 8}" x="{x(at):.1f}" y="{y + 2}" width="{max(x(at + part) - x(at), 0):.1f}" '
                f'height="{height - 6}"><title>{escape(stages[number])}: {part:.1f} ms</title></rect>'
            )
            at += part
    ticks = [most * part / 5 for part in range(6)]
    drawn.insert(0, _grid_x(x, ticks, "{:.0f}", bottom))
    return _figure(drawn, "ms", stages, bottom + BOTTOM)


def _figure(drawn: Sequence[str], unit: str, names: Sequence[str], height: float = HEIGHT) -> str:
    legend = "".join(f'<span><i class="c{place % 8}"></i>{escape(name)}</span>' for place, name in enumerate(names))
    return (
        f'<figure><svg viewBox="0 0 {WIDTH} {height:.0f}" role="img">{"".join(drawn)}'
        f'<text x="{WIDTH - RIGHT}" y="{height - 4:.0f}" text-anchor="end">{escape(unit)}</text></svg>'
        f"<figcaption>{legend}</figcaption></figure>"
    )


def _linear(low: float, high: float, first: float, last: float) -> Scale:
    span = high - low or 1
    return lambda value: first + (value - low) / span * (last - first)


def _logarithmic(
    low: float, high: float, first: float = LEFT, last: float = WIDTH - RIGHT
) -> tuple[Scale, list[float]]:
    """A scale over whole powers of ten, and its ticks at 1, 2, 5."""
    least, most = math.floor(math.log10(low)), math.ceil(math.log10(high * 1.01))
    scale = _linear(least, most, first, last)
    ticks = [digit * 10.0**power for power in range(least, most) for digit in (1, 2, 5)] + [10.0**most]
    return lambda value: scale(math.log10(value)), ticks


def _grid_x(x: Scale, ticks: Sequence[float], form: str = "", bottom: float = HEIGHT - BOTTOM) -> str:
    named = [(x(tick), form.format(tick) if form else _ms(tick)) for tick in ticks]
    return "".join(
        f'<path class="grid" d="M{at:.1f} {TOP} V{bottom}"/>'
        f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{name}</text>'
        for at, name in named
    )


def _grid_y(y: Scale, ticks: Sequence[float], form: Callable[[float], str]) -> str:
    return "".join(
        f'<path class="grid" d="M{LEFT} {y(tick):.1f} H{WIDTH - RIGHT}"/>'
        f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{form(tick)}</text>'
        for tick in ticks
    )


def _ms(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"


def _thinned(values: Sequence[T]) -> Sequence[T]:
    return values[:: -(-len(values) // POINTS) or 1]
