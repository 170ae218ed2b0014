"""A dashboard as one SVG, for who has no Grafana: the same panels with the same queries, drawn over a time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

from deploy.dashboards.ask import Series
from deploy.dashboards.panel import Dashboard, Panel, Unit

Drawn = Sequence[tuple[str, Series]]
"""Lines with their names."""

COLOURS = ("#5794f2", "#f2495c", "#73bf69", "#ff9830", "#b877d9", "#fade2a", "#56a64b", "#8ab8ff", "#ff7383", "#c4a2f2")
COLUMNS, WIDTH, HEIGHT, GAP, HEAD = 2, 600, 262, 14, 66
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 38, 78
"""Of a panel, around its lines."""
LEGENDS = 6
"""Names below a panel; of more lines the highest are named."""
SUFFIX: Mapping[Unit, str] = {"s": " s", "ms": " ms", "reqps": "/s", "bytes": "B", "yuan": " ¥"}


def picture(dashboard: Dashboard, drawn: Mapping[Panel, Drawn], begin: float, end: float, run: str) -> str:
    """The whole page. `run` says what was measured, and when."""
    rows = math.ceil(len(dashboard.panels) / COLUMNS)
    width = COLUMNS * (WIDTH + GAP) + GAP
    height = HEAD + rows * (HEIGHT + GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="system-ui, Noto Sans CJK SC, sans-serif" font-size="12" fill="#ccccdc">',
        f'<rect width="{width}" height="{height}" fill="#111217"/>',
        f'<text x="{GAP}" y="30" font-size="21" fill="#fff">Lydia · {escape(dashboard.title.en)} '
        f"{escape(dashboard.title.zh)}</text>",
        f'<text x="{GAP}" y="52" fill="#9a9aad">{escape(run)}</text>',
    ]
    for number, panel in enumerate(dashboard.panels):
        x = GAP + number % COLUMNS * (WIDTH + GAP)
        y = HEAD + number // COLUMNS * (HEIGHT + GAP)
        parts.append(f'<g transform="translate({x} {y})">{_panel(panel, drawn.get(panel, ()), begin, end)}</g>')
    return "\n".join([*parts, "</svg>\n"])


def _panel(panel: Panel, lines: Drawn, begin: float, end: float) -> str:
    title = f"{panel.title.en} · {panel.title.zh}"
    parts = [
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="4" fill="#181b1f" stroke="#2c3235"/>',
        f'<text x="12" y="22" font-size="13" font-weight="600">{escape(title)}</text>',
    ]
    if not lines:
        parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT / 2}" text-anchor="middle" fill="#7b8087">{_why(panel)}</text>')
        return "".join(parts)
    most = max(value for _, series in lines for _, value in series.points)
    top = _above(most)

    def x(at: float) -> float:
        return LEFT + (at - begin) / max(end - begin, 1) * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - value / top * (HEIGHT - BOTTOM - TOP)

    for part in range(5):
        at = top * part / 4
        parts.append(
            f'<path d="M{LEFT} {y(at):.1f}H{WIDTH - RIGHT}" stroke="#2c3235"/>'
            f'<text x="{LEFT - 6}" y="{y(at) + 4:.1f}" text-anchor="end" font-size="11">{_shown(at, panel.unit)}</text>'
        )
    for part in range(7):
        passed = (end - begin) * part / 6
        parts.append(
            f'<text x="{x(begin + passed):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" font-size="11">'
            f"{passed:.0f} s</text>"
        )
    ordered = sorted(lines, key=lambda line: -max(value for _, value in line[1].points))
    for number, (_, series) in enumerate(ordered):
        points = " ".join(f"{x(at):.1f},{y(max(value, 0)):.1f}" for at, value in series.points)
        colour = COLOURS[number % len(COLOURS)]
        dot = f"{points.rpartition(' ')[2]}".split(",")
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(f'<circle cx="{dot[0]}" cy="{dot[1]}" r="2.2" fill="{colour}"/>')
    parts += _legend(panel, ordered)
    return "".join(parts)


def _legend(panel: Panel, ordered: Drawn) -> list[str]:
    parts = []
    for number, (name, series) in enumerate(ordered[:LEGENDS]):
        at_x, at_y = 14 + number % 2 * (WIDTH // 2 - 8), HEIGHT - 44 + number // 2 * 16
        last = _shown(series.points[-1][1], panel.unit)
        cut = name if len(name) <= 34 else name[:33] + "…"
        parts.append(
            f'<rect x="{at_x}" y="{at_y - 8}" width="10" height="3" fill="{COLOURS[number % len(COLOURS)]}"/>'
            f'<text x="{at_x + 15}" y="{at_y}" font-size="11">{escape(cut)}: {last}</text>'
        )
    if len(ordered) > LEGENDS:
        more = f"+{len(ordered) - LEGENDS}"
        parts.append(f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 8}" text-anchor="end" font-size="11">{more}</text>')
    return parts


def _why(panel: Panel) -> str:
    if panel.quiet:
        return "nothing: all is well · 无数据即正常"
    return f"no {panel.source} in this run · 本次没有"


def _above(most: float) -> float:
    """The next round number."""
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next((digit * power for digit in (1, 2, 4, 5, 10) if digit * power >= most), 10 * power)


def _shown(value: float, unit: Unit) -> str:
    if unit == "percentunit":
        return f"{value * 100:.3g}%"
    if unit == "bytes":
        return f"{value / 2**20:.0f} MiB"
    if unit == "s" and 0 < value < 1:
        return f"{value * 1000:.3g} ms"
    return f"{value:.3g}{SUFFIX.get(unit, '')}"
