"""What Prometheus sees when each alert must fire, and when all is well. Series as promtool writes them, one value a
minute: `0+2x60` begins at 0 and grows by 2 sixty times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    """An alert that fires."""

    series: Mapping[str, str]
    minutes: int = 20
    labels: Mapping[str, str] = field(default_factory=dict)
    """Beside the severity."""
    severities: tuple[str, ...] = ()
    """All of them that fire; those of the alert when empty."""


WELL: Mapping[str, str] = {
    'up{job="lydia",instance="stage"}': "1x300",
    'process_start_time_seconds{job="lydia",instance="stage"}': "1000x300",
    'lydia_turn_voice_seconds_count{lane="chat"}': "0+10x300",
    'lydia_turn_voice_seconds_bucket{lane="chat",le="2.0"}': "0+10x300",
    "lydia_paid_thanked_seconds_count": "0+10x300",
    'lydia_paid_thanked_seconds_bucket{le="60.0"}': "0+10x300",
    'lydia_gateway_request_seconds_count{platform="douyin"}': "0+600x300",
    'lydia_gateway_refused_total{platform="douyin",reason="unavailable"}': "3x300",
    'lydia_gateway_refused_total{platform="douyin",reason="signature"}': "2x300",
    'lydia_stage_turns_total{outcome="finished"}': "0+10x300",
    "lydia_stage_turns_with_gaps_total": "1x300",
    'lydia_renderer_label_reports_total{shown="yes"}': "0+60x300",
    'lydia_renderer_label_reports_total{shown="no"}': "1x300",
    "lydia_stage_rooms": "3x300",
    "lydia_stage_unattended_rooms": "0 1 1 0x300",
    "lydia_stage_panicked_rooms": "0x300",
    "lydia_stage_muted_rooms": "0x300",
    "lydia_stage_manual_rooms": "0x300",
    'lydia_stop_seconds_bucket{le="0.1"}': "0+5x300",
    'lydia_stop_seconds_bucket{le="0.2"}': "0+5x300",
    'lydia_stop_seconds_bucket{le="+Inf"}': "0+5x300",
    'lydia_chat_held_back_total{category="politics"}': "1x300",
    'lydia_oldest_waiting_seconds{lane="paid",held="no"}': "0 20 45 110 0x300",
    'lydia_oldest_waiting_seconds{lane="chat",held="no"}': "30x300",
    'lydia_douyin_acks_total{outcome="dropped"}': "0x300",
    'lydia_douyin_push_tasks{type="live_gift",state="stopped"}': "1 0x300",
    'lydia_douyin_calls_total{call="start",code="0"}': "0+1x300",
    'lydia_douyin_calls_total{call="start",code="10001"}': "1x300",
    'lydia_audience_events_total{platform="douyin",kind="chat"}': "0+60x300",
    "lydia_stage_heard_seconds_total": "0+40x300",
    'lydia_renderer_drift_seconds_bucket{le="0.02"}': "0+50x300",
    'lydia_renderer_drift_seconds_bucket{le="0.25"}': "0+50x300",
    'lydia_renderer_drift_seconds_bucket{le="+Inf"}': "0+50x300",
    'lydia_bus_lag_records{group="stage",topic="lydia.voice"}': "90 190 60x300",
    'lydia_records_handled_total{service="chat",topic="lydia.turns",outcome="dead_letter"}': "2x300",
    'lydia_bridge_calls_total{outcome="taken"}': "0+100x300",
    'lydia_bridge_calls_total{outcome="not_taken"}': "0+1x300",
    'lydia_rung_resting{service="speech",rung="speech.natural"}': "1 1 0x300",
    'lydia_server_reachable{server="redis"}': "1x300",
    'lydia_server_reachable{server="kafka"}': "1x300",
    'lydia_server_reachable{server="triton"}': "1x300",
    'nv_inference_queue_duration_us{model="speech.natural"}': "0+20000x300",
    'nv_inference_request_success{model="speech.natural"}': "0+100x300",
    'nv_inference_request_failure{model="speech.natural"}': "1x300",
    'lydia_bus_partitions_short_of_copies{topic="lydia.turns"}': "0x300",
    'lydia_state_memory_used_ratio{server="redis"}': "0.2x300",
    'lydia_state_saving{server="redis"}': "1x300",
    'lydia_bus_disk_free_ratio{broker="1"}': "0.5x300",
}
"""A show in which little things go wrong, as they do."""

ALL = "0+1000x400"
"""What an objective counts: 1,000 a minute."""


@dataclass(frozen=True)
class Bad:
    """So many of each 1,000, for so many minutes; then none."""

    of_1000: int
    minutes: int = 400

    @property
    def series(self) -> str:
        """Those."""
        return f"0+{self.of_1000}x{self.minutes} {self.of_1000 * self.minutes}x{400 - self.minutes}"

    @property
    def others(self) -> str:
        """All but those."""
        then = (1000 - self.of_1000) * self.minutes
        return f"0+{1000 - self.of_1000}x{self.minutes} {then + 1000}+1000x{400 - self.minutes}"


def _burning(budget: int, world: Callable[[Bad], Mapping[str, str]]) -> tuple[Case, ...]:
    """An objective that allows `budget` of each 1,000 to be bad: by how fast it is used up."""
    both, ticket = ("page", "ticket"), ("ticket",)
    return (
        Case(world(Bad(20 * budget)), 80, severities=both),
        Case(world(Bad(10 * budget)), 80, severities=both),  # too slow for the hour, not for the six
        Case(world(Bad(10 * budget, minutes=320)), 360, severities=ticket),  # over for half an hour: nobody is woken
        Case(world(Bad(4 * budget)), 200, severities=ticket),
    )


FIRES: Mapping[str, tuple[Case, ...]] = {
    "LydiaVoiceLate": _burning(
        10,
        lambda bad: {
            "lydia_turn_voice_seconds_count": ALL,
            'lydia_turn_voice_seconds_bucket{le="2.0"}': bad.others,
        },
    ),
    "LydiaPaidThanksLate": _burning(
        1,
        lambda bad: {
            "lydia_paid_thanked_seconds_count": ALL,
            'lydia_paid_thanked_seconds_bucket{le="60.0"}': bad.others,
        },
    ),
    "LydiaIntakeErrors": _burning(
        1,
        lambda bad: {
            'lydia_gateway_request_seconds_count{platform="douyin"}': ALL,
            'lydia_gateway_refused_total{platform="douyin",reason="too_slow"}': bad.series,
        },
    ),
    "LydiaSoundGaps": _burning(
        10,
        lambda bad: {
            'lydia_stage_turns_total{outcome="finished"}': ALL,
            "lydia_stage_turns_with_gaps_total": bad.series,
        },
    ),
    "LydiaLabelMissing": (Case({'lydia_renderer_label_reports_total{shown="no"}': "0+60x20"}),),
    "LydiaNoOperator": (Case({"lydia_stage_unattended_rooms": "1x20"}),),
    "LydiaRoomInPanic": (Case({"lydia_stage_panicked_rooms": "1x20"}),),
    "LydiaStopsLate": (
        Case(
            {
                'lydia_stop_seconds_bucket{le="0.2"}': "0+1x20",
                'lydia_stop_seconds_bucket{le="0.5"}': "0+2x20",
                'lydia_stop_seconds_bucket{le="+Inf"}': "0+2x20",
            }
        ),
    ),
    "LydiaHeldBack": (
        Case(
            {
                'lydia_chat_held_back_total{category="politics"}': "0+1x30",
                'lydia_stage_turns_total{outcome="finished"}': "0+10x30",
            }
        ),
    ),
    "LydiaPaidOwed": (Case({'lydia_oldest_waiting_seconds{lane="paid",held="no"}': "0+60x20"}),),
    "LydiaAcksDropped": (
        Case({'lydia_douyin_acks_total{outcome="dropped"}': "_x15 1x5"}, labels={"outcome": "dropped"}),
        Case({'lydia_douyin_acks_total{outcome="dropped"}': "0x15 1x5"}, labels={"outcome": "dropped"}),
    ),
    "LydiaSilent": (
        Case(
            {
                'lydia_audience_events_total{platform="douyin",kind="gift"}': "0+60x20",
                "lydia_stage_heard_seconds_total": "100x20",
                "lydia_stage_panicked_rooms": "0x20",
                "lydia_stage_muted_rooms": "0x20",
                "lydia_stage_manual_rooms": "0x20",
            }
        ),
    ),
    "LydiaChatStuck": (Case({'lydia_oldest_waiting_seconds{lane="chat",held="no"}': "0+60x20"}),),
    "LydiaPushStopped": (
        Case({'lydia_douyin_push_tasks{type="live_gift",state="stopped"}': "1x20"}, labels={"type": "live_gift"}),
    ),
    "LydiaPlatformRefuses": (
        Case(
            {
                'lydia_douyin_calls_total{call="start",code="0"}': "1x30",
                'lydia_douyin_calls_total{call="start",code="10001"}': "0+2x30",
            },
            30,
            labels={"call": "start"},
        ),
    ),
    "LydiaSignaturesWrong": (Case({'lydia_gateway_refused_total{platform="douyin",reason="signature"}': "0+10x20"}),),
    "LydiaRendererDrift": (
        Case(
            {
                'lydia_renderer_drift_seconds_bucket{le="0.1"}': "0+1x30",
                'lydia_renderer_drift_seconds_bucket{le="0.25"}': "0+20x30",
                'lydia_renderer_drift_seconds_bucket{le="+Inf"}': "0+20x30",
            },
            30,
        ),
    ),
    "LydiaServiceDown": (
        Case({'up{job="lydia",instance="chat"}': "1x10 0x10"}, labels={"job": "lydia", "instance": "chat"}),
        Case({'up{job="something-else"}': "1x20"}),
    ),
    "LydiaRestarts": (
        Case(
            {'process_start_time_seconds{job="lydia",instance="chat"}': "1000+60x20"},
            labels={"job": "lydia", "instance": "chat"},
        ),
    ),
    "LydiaBusLag": (
        Case(
            {'lydia_bus_lag_records{group="chat",topic="lydia.turns"}': "0+100x20", "lydia_stage_rooms": "1x20"},
            labels={"group": "chat", "topic": "lydia.turns"},
        ),
        Case(
            {'lydia_bus_lag_records{group="chat",topic="lydia.turns"}': "80x20"},
            labels={"group": "chat", "topic": "lydia.turns"},
        ),
    ),
    "LydiaDeadLetters": (
        Case(
            {'lydia_records_handled_total{service="chat",topic="lydia.turns",outcome="dead_letter"}': "_x15 1x5"},
            labels={"service": "chat", "topic": "lydia.turns"},
        ),
        Case(
            {'lydia_records_handled_total{service="chat",topic="lydia.turns",outcome="dead_letter"}': "4x15 5x5"},
            labels={"service": "chat", "topic": "lydia.turns"},
        ),
    ),
    "LydiaReplicasAway": (
        Case(
            {
                'lydia_bridge_calls_total{outcome="taken"}': "0+1x20",
                'lydia_bridge_calls_total{outcome="not_taken"}': "0+9x20",
            }
        ),
    ),
    "LydiaRungResting": (
        Case(
            {'lydia_rung_resting{service="speech",rung="speech.natural"}': "0x5 1x20"},
            labels={"service": "speech", "rung": "speech.natural"},
        ),
    ),
    "LydiaTritonQueues": (
        Case(
            {
                'nv_inference_queue_duration_us{model="speech.natural"}': "0+30000000x20",
                'nv_inference_request_success{model="speech.natural"}': "0+100x20",
            },
            labels={"model": "speech.natural"},
        ),
    ),
    "LydiaTritonFails": (
        Case(
            {
                'nv_inference_request_failure{model="speech.natural"}': "0+5x20",
                'nv_inference_request_success{model="speech.natural"}': "0+100x20",
            },
            labels={"model": "speech.natural"},
        ),
    ),
    "LydiaRedisAway": (Case({'lydia_server_reachable{server="redis",instance="chat"}': "1x10 0x10"}),),
    "LydiaKafkaAway": (Case({'lydia_server_reachable{server="kafka",instance="chat"}': "1x10 0x10"}),),
    "LydiaTritonAway": (Case({'lydia_server_reachable{server="triton",instance="chat"}': "1x10 0x10"}),),
    "LydiaKafkaUnderReplicated": (
        Case({'lydia_bus_partitions_short_of_copies{topic="lydia.turns"}': "1x20"}, labels={"topic": "lydia.turns"}),
    ),
    "LydiaRedisMemory": (
        Case({'lydia_state_memory_used_ratio{server="redis"}': "0.9x20"}, labels={"server": "redis"}),
    ),
    "LydiaRedisNotSaving": (Case({'lydia_state_saving{server="redis"}': "0x20"}, labels={"server": "redis"}),),
    "LydiaDiskFull": (
        Case(
            {
                'lydia_bus_disk_free_ratio{broker="1",instance="chat"}': "0.05x20",
                'lydia_bus_disk_free_ratio{broker="2",instance="chat"}': "0.4x20",
            },
            labels={"broker": "1"},
        ),
    ),
}
