"""The measured curve and the planned cost, as one SVG that needs nothing else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from loadtests.capacity.measured import Measured, line
from loadtests.capacity.scenes import Tried
from loadtests.capacity.sizing import Capacity

WIDTH, HEIGHT, GAP = 460, 340, 40
LEFT, TOP, BOTTOM = 56, 40, 46
COLOURS = ("#2f6fb3", "#c4562f", "#3f8f55", "#8257a8", "#a98a1d", "#4f9aa3")


def picture(measured: Measured, planned: Sequence[Capacity], tried: Sequence[Tried]) -> str:
    """Left: cores by speaking rooms. Right: cost of a room by number of rooms, both logarithmic."""
    whole = 2 * WIDTH + GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{whole}" height="{HEIGHT}" fill="#fff"/>'
        f'{_cores(measured)}<g transform="translate({WIDTH + GAP} 0)">{_cost(planned, tried)}</g></svg>\n'
    )


def _cores(measured: Measured) -> str:
    series = list(dict.fromkeys((step.where, step.voice) for step in measured.steps))
    chosen = {one: [step for step in measured.of(*one) if not step.events] for one in series}
    most_x = max(step.voice_s / step.seconds for steps in chosen.values() for step in steps) * 1.05 or 1
    most_y = max(sum(step.cpu_s.values()) / step.seconds for steps in chosen.values() for step in steps) * 1.5
    drawn = [_frame("cores used, by seconds of sound made in a second", most_x, most_y)]
    for number, (one, steps) in enumerate(chosen.items()):
        colour, through = COLOURS[number % len(COLOURS)], line(measured.of(*one))
        rooms = sum(step.quiet + step.speaking for step in steps) / len(steps)
        ends = [(x, through.cpu_s(1, rooms, x, 0)) for x in (0.0, most_x)]
        points = " ".join(f"{_x(x / most_x):.1f},{_y(min(y / most_y, 1)):.1f}" for x, y in ends)
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-dasharray="5 4"/>')
        for step in steps:
            x, y = step.voice_s / step.seconds / most_x, sum(step.cpu_s.values()) / step.seconds / most_y
            told = f"{step.quiet} quiet, {step.speaking} speaking"
            drawn.append(
                f'<circle cx="{_x(x):.1f}" cy="{_y(y):.1f}" r="4" fill="{colour}"><title>{told}</title></circle>'
            )
        drawn.append(_legend(number, colour, ", ".join(one)))
    return "".join(drawn)


def _cost(planned: Sequence[Capacity], tried: Sequence[Tried]) -> str:
    lines = {
        "planned for the busiest hour": [(capacity.rooms, capacity.room_hour) for capacity in planned],
        "over a simulated day": [(one.capacity.rooms, one.day.room_hour) for one in tried],
    }
    values = [cost for points in lines.values() for _, cost in points]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    most = math.log10(max(capacity.rooms for capacity in planned))
    drawn = [_frame("USD for a room and hour, by rooms", 0, 0)]
    drawn += [_tick_x(math.log10(capacity.rooms) / most, f"{capacity.rooms:,}") for capacity in planned]
    drawn += [_tick_y((power - low) / (high - low), f"{10.0**power:g}") for power in range(low, high + 1)]
    for number, (name, points) in enumerate(lines.items()):
        colour = COLOURS[number]
        places = [(_x(math.log10(rooms) / most), _y((math.log10(cost) - low) / (high - low))) for rooms, cost in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        drawn.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        drawn += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>' for x, y in places]
        drawn.append(_legend(number, colour, name))
    return "".join(drawn)


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - 28)


def _y(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)


def _frame(title: str, most_x: float, most_y: float) -> str:
    """With five ticks on each axis where there is a largest value."""
    drawn = [
        f'<text x="{LEFT}" y="20" font-weight="bold">{escape(title)}</text>'
        f'<path d="M{LEFT} {TOP} V{_y(0)} H{_x(1)}" fill="none" stroke="#444"/>'
    ]
    for part in range(6):
        if most_x:
            drawn.append(_tick_x(part / 5, f"{most_x * part / 5:.1f}"))
        if most_y:
            drawn.append(_tick_y(part / 5, f"{most_y * part / 5:.2f}"))
    return "".join(drawn)


def _tick_x(share: float, text: str) -> str:
    return f'<text x="{_x(share):.1f}" y="{_y(0) + 18:.1f}" text-anchor="middle" fill="#444">{text}</text>'


def _tick_y(share: float, text: str) -> str:
    y = _y(share)
    return (
        f'<path d="M{LEFT} {y:.1f} H{_x(1):.1f}" stroke="#e3e3e3"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end" fill="#444">{text}</text>'
    )


def _legend(number: int, colour: str, text: str) -> str:
    y = TOP + 14 + 17 * number
    return (
        f'<rect x="{LEFT + 12}" y="{y - 9}" width="10" height="10" fill="{colour}"/>'
        f'<text x="{LEFT + 28}" y="{y}">{escape(text)}</text>'
    )
