"""Every metric of Lydia, by name. Units are in the names; buckets are chosen per stage."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

HOP_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5)
ANSWER_S = (0.02, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 5, 10, 30, 60)


class Metrics:
    """All metrics in one registry; one object per process."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry = registry or CollectorRegistry()
        # bus
        self.handled = Counter(
            "lydia_records_handled",
            "Records a service finished, by topic and outcome (done, dead_epoch, dead_letter)",
            ["service", "topic", "outcome"],
            registry=registry,
        )
        self.handle_seconds = Histogram(
            "lydia_handle_seconds", "Time in a handler", ["service", "topic"], buckets=HOP_S, registry=registry
        )
        self.retries = Counter(
            "lydia_handle_retries", "Handler runs that failed and are tried again", ["service"], registry=registry
        )
        # gateway
        self.events = Counter(
            "lydia_audience_events", "Audience events accepted", ["platform", "kind"], registry=registry
        )
        self.refused = Counter(
            "lydia_gateway_refused", "Requests and items refused, by reason", ["platform", "reason"], registry=registry
        )
        self.push_seconds = Histogram(
            "lydia_gateway_request_seconds", "Time to answer a request", ["platform"], buckets=HOP_S, registry=registry
        )
        self.rooms = Gauge(
            "lydia_gateway_rooms", "Rooms that had an event within the last half hour", registry=registry
        )
        self.push_task = Gauge(
            "lydia_douyin_push_task_running",
            "1 while the platform pushes this type",
            ["room_id", "type"],
            registry=registry,
        )
        self.platform_calls = Counter(
            "lydia_douyin_calls",
            "Calls to the platform, by its error code (0 is success)",
            ["call", "code"],
            registry=registry,
        )
        self.recovered = Counter(
            "lydia_douyin_recovered", "Events found in the platform's failed data", ["type"], registry=registry
        )
        self.acks = Counter(
            "lydia_douyin_acks",
            "Reports to the platform, by what became of them (sent, dropped)",
            ["outcome"],
            registry=registry,
        )
        # audience
        self.decisions = Counter(
            "lydia_decisions", "What became of audience events", ["lane", "outcome", "reason"], registry=registry
        )
        self.repeated = Counter(
            "lydia_audience_repeated", "Events that were delivered once more and left alone", registry=registry
        )
        self.waiting = Gauge("lydia_waiting_events", "Events in the queue", ["room_id", "lane"], registry=registry)
        self.turns = Counter("lydia_turns", "Turns opened", ["lane", "cause"], registry=registry)
        self.bridge_calls = Counter(
            "lydia_bridge_calls",
            "Batches handed to whoever has their room, by outcome (taken, not_taken)",
            ["outcome"],
            registry=registry,
        )
        self.bridge_seconds = Histogram(
            "lydia_bridge_call_seconds", "From a batch's departure to its answer", buckets=HOP_S, registry=registry
        )
        self.bridge_waiting = Gauge(
            "lydia_bridge_waiting_records", "Records read and not finished yet, at the bridge", registry=registry
        )
        # ladders
        self.rung = Counter("lydia_rung_used", "Turns served, by rung", ["service", "rung"], registry=registry)
        self.rung_failed = Counter(
            "lydia_rung_failed", "Steps down a ladder, by the rung that failed", ["service", "rung"], registry=registry
        )
        # chat
        self.held_back = Counter(
            "lydia_chat_held_back",
            "Segments that output moderation replaced, by category",
            ["category"],
            registry=registry,
        )
        # speech
        self.speech_first_chunk_seconds = Histogram(
            "lydia_speech_first_chunk_seconds",
            "From a turn's first text segment to its first voice chunk",
            buckets=HOP_S,
            registry=registry,
        )
        self.speech_real_time_factor = Histogram(
            "lydia_speech_real_time_factor",
            "Time a segment took to make, over how long it sounds; above 1 the rung cannot keep up",
            ["rung"],
            buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5),
            registry=registry,
        )
        # stage
        self.first_voice_seconds = Histogram(
            "lydia_first_voice_seconds",
            "From the gateway's receipt of an event to the first voice chunk of its turn at the stage",
            ["lane"],
            buckets=ANSWER_S,
            registry=registry,
        )
        self.stop_seconds = Histogram(
            "lydia_stop_seconds",
            "From an interruption's time stamp to the stage's stop",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1),
            registry=registry,
        )
        self.underruns = Counter(
            "lydia_stage_underruns", "Times the voice of a turn came too late to follow on", registry=registry
        )
        self.renderer_drift_seconds = Histogram(
            "lydia_renderer_drift_seconds",
            "How far a renderer plays from where it would choose to, as it reports about once a second",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.045, 0.1, 0.25, 1),
            registry=registry,
        )
        self.renderers = Gauge("lydia_stage_renderers", "Connected renderers", ["room_id"], registry=registry)
