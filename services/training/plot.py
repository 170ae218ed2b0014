"""Curves as a picture in SVG, as GitHub and every browser show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 720, 320, 60, 16, 150, 32
COLOURS = ("#0b66c3", "#c3410b", "#2a8f3c", "#8a2be2", "#a07800", "#00808a")
MARKS = 5
"""Numbers along an axis."""


def plot(curves: Mapping[str, Sequence[tuple[float, float]]], across: str = "step") -> str:
    """Name → points (x, y), all on one scale."""
    points = [point for curve in curves.values() for point in curve]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    low_x, low_y = min(xs), min(ys)
    wide, high = max(max(xs) - low_x, 1e-9), max(max(ys) - low_y, 1e-9)

    def place(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + (x - low_x) / wide * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - (y - low_y) / high * (HEIGHT - TOP - BOTTOM),
        )

    def axes() -> Iterator[str]:
        for mark in range(MARKS + 1):
            x, y = low_x + wide * mark / MARKS, low_y + high * mark / MARKS
            across_x, _ = place(x, low_y)
            _, up_y = place(low_x, y)
            yield f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up_y:.1f}" y2="{up_y:.1f}" stroke="#ddd"/>'
            yield f'<text x="{LEFT - 6}" y="{up_y + 4:.1f}" text-anchor="end">{y:.3g}</text>'
            yield f'<text x="{across_x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:.0f}</text>'
        yield f'<text x="{WIDTH - RIGHT + 12}" y="{HEIGHT - BOTTOM + 16}">{across}</text>'

    def lines() -> Iterator[str]:
        for number, (name, curve) in enumerate(curves.items()):
            colour = COLOURS[number % len(COLOURS)]
            path = " ".join("{:.1f},{:.1f}".format(*place(*point)) for point in curve)
            yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            yield f'<text x="{WIDTH - RIGHT + 12}" y="{TOP + 12 + 16 * number}" fill="{colour}">{name}</text>'

    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
    return "\n".join(
        [f'{head} font-size="12">', '<rect width="100%" height="100%" fill="#fff"/>', *axes(), *lines(), "</svg>\n"]
    )
