"""Where an event's time went, stage by stage: from its trace, or, without traces, from what the stage tells."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from loadtests.load.fates import Fate

TRACED = ("gateway", "audience", "choosing", "chat", "speech", "motion", "stage")
"""gateway: receipt to published. audience: from there until it had dealt with the event, or had opened its turn at
once. choosing: how long the event then waited for the floor, by the policy. chat: turn opened to its first words at
speech. speech: to its first voice at motion. motion: to its first frames at the stage. stage: to the performance.
"""
SEEN = ("gateway", "choosing", "chat, speech, motion", "first frame")
"""gateway: scheduled time to the target's answer. choosing: receipt to opening of the turn, by the target's clock. Then
the rest until the first voice at the renderer, and from there to the first frame.
"""


def traced(traces: Iterable[Sequence[Span]]) -> dict[str, dict[str, float]]:
    """Event id → stage → milliseconds, for the events that opened a turn which reached the stage."""
    found: dict[str, dict[str, float]] = {}
    for spans in traces:
        named: dict[tuple[str, str], Span] = {}
        for span in sorted(spans, key=lambda one: one.start_time_unix_nano):
            named.setdefault((span.name, attribute(span, "lydia.service")), span)
        root = next((span for (name, _), span in named.items() if name.startswith("receive ")), None)
        chain = [
            named.get(key)
            for key in (
                ("process lydia.audience", "audience"),
                ("open turn", ""),
                ("process lydia.text", "speech"),
                ("process lydia.voice", "motion"),
                ("process lydia.frames", "stage"),
                ("perform first frame", ""),
            )
        ]
        if root is None or any(span is None for span in chain):
            continue
        heard, opened, words, voice, frames, performed = (span for span in chain if span is not None)
        dealt_with = min(heard.end_time_unix_nano, opened.start_time_unix_nano)
        moments = (
            root.start_time_unix_nano,
            root.end_time_unix_nano,
            dealt_with,
            opened.start_time_unix_nano,
            words.start_time_unix_nano,
            voice.start_time_unix_nano,
            frames.start_time_unix_nano,
            performed.start_time_unix_nano,
        )
        # A record may be read before its publisher's span has ended.
        found[attribute(root, "messaging.message.id")] = {
            stage: max(moments[place + 1] - moments[place], 0) / 1e6 for place, stage in enumerate(TRACED)
        }
    return found


def seen(fates: Iterable[Fate]) -> dict[str, dict[str, float]]:
    """The same without traces, as far as the outside tells."""
    found: dict[str, dict[str, float]] = {}
    for fate in fates:
        if fate.voice_ms is not None and fate.frame_ms is not None and fate.choosing_ms is not None:
            rest = max(fate.voice_ms - fate.gateway_ms - fate.choosing_ms, 0.0)
            times = (fate.gateway_ms, fate.choosing_ms, rest, max(fate.frame_ms - fate.voice_ms, 0.0))
            found[fate.event.event_id] = dict(zip(SEEN, times, strict=True))
    return found


def last_steps(traces: Mapping[bytes, Sequence[Span]]) -> dict[str, str]:
    """Event id → the last thing that its trace tells, to say where a lost one was seen last."""
    found: dict[str, str] = {}
    for spans in traces.values():
        last = max(spans, key=lambda span: span.end_time_unix_nano)
        for span in spans:
            if span.name.startswith("receive "):
                where = " in " + attribute(last, "lydia.service") if attribute(last, "lydia.service") else ""
                found[attribute(span, "messaging.message.id")] = f"{last.name}{where}"
    return found


def attribute(span: Span, name: str) -> str:
    """An attribute's text; empty when it has none."""
    return next((one.value.string_value for one in span.attributes if one.key == name), "")
