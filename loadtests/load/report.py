"""The report: one HTML file without scripts, for a person."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from loadtests.bench import percentile
from loadtests.load import plots
from loadtests.load.compare import Comparison, Difference
from loadtests.load.result import Lost, Profile, Result
from loadtests.load.verdict import Checked

STYLE = Path(__file__).with_name("report.css")
SHARES = (0.5, 0.9, 0.95, 0.99)
NAMED = 200
"""Lost events named one by one; all of them are in the JSON."""


def report(result: Result, checked: Sequence[Checked], comparison: Comparison | None) -> str:
    """The whole page."""
    kept = all(one.kept for one in checked)
    worse = comparison is not None and comparison.worse
    verdict = "Objectives kept" if kept else "Objectives missed"
    if comparison is not None:
        verdict += ", and worse than the earlier run" if worse else ", and no worse than the earlier run"
    parts = [
        "<h1>Load on Lydia</h1>",
        f'<p class="soft">{escape(result.made_at)} · commit {escape(result.commit)}</p>',
        f'<p class="verdict {"kept" if kept and not worse else "missed"}">{verdict}.</p>',
        _table(
            ("objective", "found", "at most", ""),
            (
                (one.name, _number(one.found, one.unit), _number(one.limit, one.unit), _kept(one.kept))
                for one in checked
            ),
        ),
        _conditions(result),
        *(_compared(comparison) if comparison is not None else ()),
        "<h2>Latency</h2>",
        '<p class="soft">From the scheduled send to the first voice chunk at a renderer, of every event that she '
        "answered. “Free”: she was silent, and it was the next thing that she answered. "
        "“Without the wait”: less the time between its receipt and the opening of its turn.</p>",
        plots.cdf(_voices(result)),
        _latencies(result),
        "<h2>In the course of the run</h2>",
        plots.timeline(
            {
                f"{name}, {lane}": [(one.at_s, one.voice_ms) for one in profile.answers if one.lane == lane]
                for name, profile in result.profiles.items()
                for lane in ("chat", "paid")
                if any(one.lane == lane for one in profile.answers)
            },
            result.seconds,
            [(one.at_s, f"lost: {one.kind} {one.event_id}") for part in result.profiles.values() for one in part.lost],
        ),
        "<h2>Where the time goes</h2>",
        f'<p class="soft">{_stages_from(result)}</p>',
        plots.stacked({name: _handled(profile) for name, profile in result.profiles.items()}),
        _stages(result),
        "<h2>What became of every event</h2>",
        _outcomes(result),
        *_troubles("Lost", [one for part in result.profiles.values() for one in part.lost]),
        *_troubles("Answered more than once", [one for part in result.profiles.values() for one in part.twice]),
        "<h2>Those who send</h2>",
        _ways(result),
    ]
    style = STYLE.read_text(encoding="utf-8")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Load on Lydia</title>'
        f'<meta name="viewport" content="width=device-width"><style>{style}</style></head>'
        f"<body>{''.join(parts)}</body></html>\n"
    )


def _conditions(result: Result) -> str:
    lag = result.lag
    rows = {
        "target": result.target,
        "machine": result.machine,
        "voices": ", ".join(result.rungs) or "none was heard",
        **result.load,
        "events": f"over {result.seconds:g} s, watched for {result.watched_s:g} s",
        "harness": f"{lag.n} requests, late by {lag.p50_ms:g} ms (p50), {lag.p99_ms:g} (p99), {lag.max_ms:g} (max)",
        "streams away": f"{result.blind_s:g} s over all rooms",
    }
    if result.not_pushed:
        told = ", ".join(f"{kind} {number}" for kind, number in result.not_pushed.items())
        rows["not delivered by the platform"] = f"{told} (its cap: 100 pushes a second of one app)"
    pairs = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in rows.items())
    return f"<h2>Conditions</h2><dl>{pairs}</dl>"


def _compared(comparison: Comparison) -> Iterable[str]:
    yield "<h2>Against the earlier run</h2>"
    for note in comparison.unlike:
        yield f'<p class="soft">Not alike: {escape(note)}.</p>'
    worse = comparison.told()
    yield f"<p>{'Worse:' if worse else 'Nothing is worse beyond what chance does.'}</p>"
    if worse:
        yield f"<ul>{''.join(f'<li class=worse>{escape(sentence)}</li>' for sentence in worse[:NAMED])}</ul>"
    yield _table(
        ("profile", "measure", "", "then", "now", "ratio", "99 % interval", "halves", ""),
        (_difference(one) for one in comparison.differences if one.verdict != "too few"),
    )
    few = sum(one.verdict == "too few" for one in comparison.differences)
    yield f'<p class="soft">{few} more percentiles have too few values to be compared.</p>'


def _difference(one: Difference) -> tuple[str, ...]:
    return (
        one.profile,
        one.measure,
        f"p{one.share * 100:.0f}",
        f"{one.then:.1f} ms",
        f"{one.now:.1f} ms",
        f"×{one.ratio:.2f}",
        f"{one.low:+.1f} to {one.high:+.1f} ms",
        f"{one.noise:.1f} ms",
        f"!{one.verdict}",
    )


def _voices(result: Result) -> dict[str, list[float]]:
    found = {}
    for name, profile in result.profiles.items():
        found[f"{name}, all"] = [one.voice_ms for one in profile.answers]
        found[f"{name}, without the wait"] = [one.made_ms for one in profile.answers]
        found[f"{name}, she was free"] = [one.voice_ms for one in profile.answers if one.free]
    return {name: values for name, values in found.items() if values}


def _latencies(result: Result) -> str:
    rows = []
    for name, profile in result.profiles.items():
        for lane in sorted({one.lane for one in profile.answers}):
            of = [one for one in profile.answers if one.lane == lane]
            free = [one for one in of if one.free]
            rows += [
                (f"{name}, {lane}: first voice, all", [one.voice_ms for one in of]),
                (f"{name}, {lane}: first voice, without the wait", [one.made_ms for one in of]),
                (f"{name}, {lane}: first voice, she was free", [one.voice_ms for one in free]),
                (f"{name}, {lane}: first frame, she was free", [o.frame_ms for o in free if o.frame_ms is not None]),
            ]
    return _percentiles(rows)


def _handled(profile: Profile) -> dict[str, list[float]]:
    """The stages without the waiting that is her policy, which would dwarf them."""
    return {stage: times for stage, times in profile.stages.items() if stage != "choosing"}


def _stages_from(result: Result) -> str:
    if result.traced:
        return (
            "From the traces of the events that opened a turn: between neighbouring milestones, the hop over the bus "
            "included. The plot leaves out “choosing”: how long an event waited for the floor, by her policy."
        )
    return "Nobody collected traces, so this is as far as the outside tells. The plot leaves out “choosing”."


def _stages(result: Result) -> str:
    return _percentiles(
        [(f"{name}: {stage}", times) for name, part in result.profiles.items() for stage, times in part.stages.items()]
    )


def _outcomes(result: Result) -> str:
    rows = []
    for name, profile in result.profiles.items():
        for lane, outcomes in profile.outcomes.items():
            told = ", ".join(f"{outcome} {number}" for outcome, number in outcomes.items())
            why = ", ".join(f"{reason} {number}" for reason, number in profile.reasons.get(lane, {}).items())
            rows.append((name, lane, told, why))
        for reason, number in profile.refusals.items():
            rows.append((name, "refused", f"{number}", reason))
    return _table(("profile", "lane", "events", "why they were dropped"), rows)


def _troubles(title: str, lost: Sequence[Lost]) -> Iterable[str]:
    if lost:
        yield f"<h3>{title}: {len(lost)}</h3>"
        yield _table(
            ("event", "kind", "room", "at", "where"),
            ((one.event_id, one.kind, one.room_id, f"{one.at_s:.1f} s", one.where) for one in lost[:NAMED]),
        )


def _ways(result: Result) -> str:
    rows = [(f"{name}: answer to the sender", way.answer_ms) for name, way in result.ways.items()]
    table = _table(
        ("way", "requests", "events", "refused", "unreadable items"),
        (
            (
                name,
                f"{way.requests}",
                f"{way.items}",
                ", ".join(f"{reason} {number}" for reason, number in way.refused.items()) or "none",
                f"{way.unreadable}",
            )
            for name, way in result.ways.items()
        ),
    )
    return table + _percentiles(rows)


def _percentiles(rows: Sequence[tuple[str, Sequence[float]]]) -> str:
    return _table(
        ("ms", "n", *(f"p{share * 100:.0f}" for share in SHARES), "max"),
        (
            (name, f"{len(values)}", *(f"{percentile(values, share):.1f}" for share in (*SHARES, 1.0)))
            for name, values in rows
            if values
        ),
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    body = "".join(f"<tr>{''.join(_cell(text) for text in row)}</tr>" for row in rows)
    return f"<table><tr>{''.join(f'<th>{escape(text)}</th>' for text in head)}</tr>{body}</table>"


def _cell(text: str) -> str:
    """A text that begins with `!` is a verdict, and coloured by its word."""
    if text.startswith("!"):
        return f'<td class="{escape(text[1:])}">{escape(text[1:])}</td>'
    return f"<td>{escape(text)}</td>"


def _kept(kept: bool) -> str:
    return "!kept" if kept else "!missed"


def _number(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}".strip()
