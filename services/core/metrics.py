"""Every metric of Lydia, by name. Units are in the names; buckets are chosen per stage.

Names are Prometheus': base units, `_total` for what only grows, and no label whose values viewers, rooms or turns make
up: a metric has as many series with 100,000 rooms as with one. `deploy/telemetry.md` lists them, generated from here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

HOP_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
ANSWER_S = (0.02, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60)
THANKS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800)

LABELS: Mapping[str, str] = {
    "action": "what an operator asked for: stop, skip, say, mute, panic, set_mode, approve",
    "broker": "a broker of Kafka, by its number",
    "call": "a call of the platform's interface",
    "category": "of the moderation rule",
    "cause": "what a turn answers or a stop was for, by the name of the event's field",
    "code": "the platform's error code; 0 is success",
    "group": "a group of readers of the bus",
    "held": "yes in rooms whose operator decides: muted, in panic, to approve, taken over; no in all others",
    "kind": "of an audience event: chat, gift, like, …",
    "lane": "paid, moderation, chat or ambient",
    "outcome": "how it ended; the meaning names the words",
    "platform": "douyin or direct",
    "reason": "one of a fixed few words",
    "rung": "of a ladder of models",
    "server": "redis, kafka or triton",
    "service": "gateway, audience, chat, chat-history, speech, motion or stage",
    "shown": "yes or no",
    "state": "running or stopped",
    "topic": "of the bus",
    "type": "of the platform's messages",
}
"""The only labels there are. Each has few values, which Lydia or her platforms fix."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as `deploy/telemetry.md` tells of it."""

    service: str
    """Who exports it; "each" for what every process has."""
    kind: Literal["counter", "gauge", "histogram"]
    name: str
    """As Prometheus shows it; of a histogram without _bucket, _sum and _count."""
    labels: tuple[str, ...]
    meaning: str


class _Part:
    """Declares the metrics of one service."""

    def __init__(self, service: str, registry: CollectorRegistry, declared: list[Declared]) -> None:
        self._service = service
        self._registry = registry
        self._declared = declared

    def counter(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Counter:
        self._declared.append(Declared(self._service, "counter", f"{name}_total", tuple(labels), meaning))
        return Counter(name, meaning, labels, registry=self._registry)

    def gauge(self, name: str, meaning: str, labels: Sequence[str] = ()) -> Gauge:
        self._declared.append(Declared(self._service, "gauge", name, tuple(labels), meaning))
        return Gauge(name, meaning, labels, registry=self._registry)

    def histogram(self, name: str, meaning: str, labels: Sequence[str] = (), *, buckets: Sequence[float]) -> Histogram:
        self._declared.append(Declared(self._service, "histogram", name, tuple(labels), meaning))
        return Histogram(name, meaning, labels, buckets=buckets, registry=self._registry)


class Metrics:
    """All metrics in one registry; one object per process."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        self.declared: list[Declared] = []

        def of(service: str) -> _Part:
            return _Part(service, registry, self.declared)

        each = of("each")
        self.handled = each.counter(
            "lydia_records_handled",
            "Records a service finished, by topic and outcome (done, dead_epoch, dead_letter)",
            ["service", "topic", "outcome"],
        )
        self.handle_seconds = each.histogram(
            "lydia_handle_seconds", "Time in a handler", ["service", "topic"], buckets=HOP_S
        )
        self.transit_seconds = each.histogram(
            "lydia_transit_seconds",
            "From an event's time stamp to the begin of its handling: the way over the bus, and the wait behind others",
            ["service", "topic"],
            buckets=HOP_S,
        )
        self.retries = each.counter("lydia_handle_retries", "Handler runs that failed and are tried again", ["service"])
        self.lag = each.gauge(
            "lydia_bus_lag_records",
            "Records of a topic that a group has not finished, by who reads it; every member tells the same",
            ["topic", "group"],
        )
        self.copies_missing = each.gauge(
            "lydia_bus_partitions_short_of_copies",
            "Partitions of a topic with fewer copies in step than they should have, by who reads it",
            ["topic"],
        )
        self.disk_free = each.gauge(
            "lydia_bus_disk_free_ratio",
            "How much of the fullest disk is free on which a broker of the bus keeps records, as the broker says",
            ["broker"],
        )
        self.state_memory = each.gauge(
            "lydia_state_memory_used_ratio",
            "How much of the memory that it may use the state's server has used",
            ["server"],
        )
        self.state_saving = each.gauge(
            "lydia_state_saving",
            "1 while the state's server writes what changes to its log, and the last writing succeeded",
            ["server"],
        )
        self.reachable = each.gauge(
            "lydia_server_reachable", "1 while a server that this process needs answers it", ["server"]
        )
        self.turns_in_hand = each.gauge(
            "lydia_turns_in_hand", "Turns that a service of chat, speech or motion is at", ["service"]
        )
        self.rung = each.counter("lydia_rung_used", "Turns served, by rung", ["service", "rung"])
        self.rung_failed = each.counter(
            "lydia_rung_failed", "Steps down a ladder, by the rung that failed", ["service", "rung"]
        )
        self.rung_resting = each.gauge(
            "lydia_rung_resting", "1 while a rung is left out because it failed a moment ago", ["service", "rung"]
        )

        gateway = of("gateway")
        self.events = gateway.counter("lydia_audience_events", "Audience events accepted", ["platform", "kind"])
        self.shed = gateway.counter(
            "lydia_gateway_shed",
            "Events left out because their room (room_busy) or all rooms (all_busy) had too many, audience has "
            "fallen behind (audience_behind), or this gateway or its bus (gateway_behind); never paid ones",
            ["lane", "reason"],
        )
        self.refused = gateway.counter(
            "lydia_gateway_refused", "Requests and items refused, by reason", ["platform", "reason"]
        )
        self.push_seconds = gateway.histogram(
            "lydia_gateway_request_seconds", "Time to answer a request", ["platform"], buckets=HOP_S
        )
        self.rooms = gateway.gauge("lydia_gateway_rooms", "Rooms that had an event within the last half hour")
        self.push_tasks = gateway.gauge(
            "lydia_douyin_push_tasks", "Rooms whose push task the platform runs, or does not", ["type", "state"]
        )
        self.platform_calls = gateway.counter(
            "lydia_douyin_calls", "Calls to the platform, by its error code (0 is success)", ["call", "code"]
        )
        self.recovered = gateway.counter(
            "lydia_douyin_recovered", "Events found in the platform's failed data", ["type"]
        )
        self.acks = gateway.counter(
            "lydia_douyin_acks", "Reports to the platform, by what became of them (sent, dropped)", ["outcome"]
        )

        audience = of("audience")
        self.decisions = audience.counter(
            "lydia_decisions",
            "What became of audience events (waiting, chosen, merged, dropped), and why",
            ["lane", "outcome", "reason"],
        )
        self.repeated = audience.counter(
            "lydia_audience_repeated", "Events that were delivered once more and left alone"
        )
        self.audience_rooms = audience.gauge("lydia_audience_rooms", "Rooms that this process decides for")
        self.waiting = audience.gauge("lydia_waiting_events", "Events in the queues", ["lane"])
        self.oldest_waiting_seconds = audience.gauge(
            "lydia_oldest_waiting_seconds",
            "Age of the oldest event that is not answered; of paid ones, whose thanks are not heard to their end",
            ["lane", "held"],
        )
        self.turns = audience.counter("lydia_turns", "Turns opened", ["lane", "cause"])
        self.paid_accepted = audience.counter(
            "lydia_paid_events_accepted", "Gifts, super-chats and fans-club events that are to be thanked"
        )
        self.paid_accepted_yuan = audience.counter("lydia_paid_accepted_yuan", "What they are worth")
        self.paid_thanked_seconds = audience.histogram(
            "lydia_paid_thanked_seconds",
            "From a paid event's arrival until its thanks were heard to their end",
            buckets=THANKS_S,
        )
        self.paid_thanked_yuan = audience.counter(
            "lydia_paid_thanked_yuan", "What paid events were worth whose thanks were heard"
        )
        self.paid_owed = audience.gauge("lydia_paid_owed_events", "Paid events whose thanks are not heard to their end")
        self.paid_owed_yuan = audience.gauge("lydia_paid_owed_yuan", "What they are worth")
        self.bridge_calls = audience.counter(
            "lydia_bridge_calls",
            "Batches handed to whoever has their room, by outcome (taken, not_taken)",
            ["outcome"],
        )
        self.bridge_seconds = audience.histogram(
            "lydia_bridge_call_seconds", "From a batch's departure to its answer", buckets=HOP_S
        )
        self.bridge_waiting = audience.gauge(
            "lydia_bridge_waiting_records", "Records read and not finished yet, at the bridge"
        )

        chat = of("chat")
        self.first_words_seconds = chat.histogram(
            "lydia_chat_first_words_seconds",
            "From the begin of work on a turn to its first words",
            ["rung"],
            buckets=ANSWER_S,
        )
        self.held_back = chat.counter(
            "lydia_chat_held_back", "Segments that output moderation replaced, by category", ["category"]
        )

        speech = of("speech")
        self.speech_first_chunk_seconds = speech.histogram(
            "lydia_speech_first_chunk_seconds",
            "From a turn's first text segment to its first voice chunk",
            buckets=HOP_S,
        )
        self.speech_real_time_ratio = speech.histogram(
            "lydia_speech_real_time_ratio",
            "Time a segment took to make, over how long it sounds; above 1 the rung cannot keep up",
            ["rung"],
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
        )

        stage = of("stage")
        self.first_voice_seconds = stage.histogram(
            "lydia_first_voice_seconds",
            "From the gateway's receipt of an event to the first voice chunk of its turn at the stage",
            ["lane"],
            buckets=ANSWER_S,
        )
        self.turn_voice_seconds = stage.histogram(
            "lydia_turn_voice_seconds",
            "From the choice of a turn to its first voice chunk at the stage",
            ["lane"],
            buckets=ANSWER_S,
        )
        self.stop_seconds = stage.histogram(
            "lydia_stop_seconds",
            "From an order to stop, an operator's or audience's, to the stage's silence",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1),
        )
        self.stopped_epochs = stage.counter(
            "lydia_stage_stopped_epochs", "Epochs that ended before their time, by what ended them", ["cause"]
        )
        self.turns_ended = stage.counter(
            "lydia_stage_turns", "Turns that left the stage (finished, stopped, failed)", ["outcome"]
        )
        self.turns_with_gaps = stage.counter(
            "lydia_stage_turns_with_gaps", "Turns in which the voice came too late at least once"
        )
        self.underruns = stage.counter("lydia_stage_underruns", "Times the voice of a turn came too late to follow on")
        self.heard_seconds = stage.counter("lydia_stage_heard_seconds", "Voice that was heard")
        self.stage_rooms = stage.gauge("lydia_stage_rooms", "Rooms that are open on the stage")
        self.speaking_rooms = stage.gauge("lydia_stage_speaking_rooms", "Rooms in which a turn is performed")
        self.watched_rooms = stage.gauge("lydia_stage_watched_rooms", "Rooms that at least one renderer draws")
        self.unattended_rooms = stage.gauge(
            "lydia_stage_unattended_rooms",
            "Rooms that are drawn, and whose operator's console has not asked for half a minute",
        )
        self.panicked_rooms = stage.gauge("lydia_stage_panicked_rooms", "Rooms in panic: silent until released")
        self.muted_rooms = stage.gauge("lydia_stage_muted_rooms", "Rooms that are muted")
        self.manual_rooms = stage.gauge(
            "lydia_stage_manual_rooms", "Rooms in which an operator approves answers or has taken over"
        )
        self.operator_actions = stage.counter("lydia_operator_actions", "What operators asked for and got", ["action"])
        self.renderers = stage.gauge("lydia_stage_renderers", "Connected renderers")
        self.renderer_drift_seconds = stage.histogram(
            "lydia_renderer_drift_seconds",
            "How far a renderer plays from where it would choose to, as it reports about once a second",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.045, 0.1, 0.25, 1),
        )
        self.label_reports = stage.counter(
            "lydia_renderer_label_reports",
            "Reports of renderers on whether they show the AI label, large enough and uncovered",
            ["shown"],
        )
