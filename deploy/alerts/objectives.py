"""What viewers may count on, and how fast the allowance for failures may be used up.

Each objective allows a share of bad events (its budget) over 30 days. An alert compares how fast the budget burns in a
long window, which says that it matters, and in a short one, which says that it still goes on: 14.4 times as fast as
allowed uses 2 % of a month's budget in an hour, 6 times 5 % in six hours; 3 times and 1 time, over a day and three, are
for the next working day. https://sre.google/workbook/alerting-on-slos/ explains the choice.
"""

from __future__ import annotations

from dataclasses import dataclass

from deploy.alerts.alert import Alert, Severity
from deploy.dashboards.panel import Words

BURN: dict[Severity, tuple[tuple[str, str, float], ...]] = {
    "page": (("1h", "5m", 14.4), ("6h", "30m", 6.0)),
    "ticket": (("1d", "2h", 3.0), ("3d", "6h", 1.0)),
}
"""Long window, short window, and how many times too fast."""
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
FEW = 20
"""Fewer events in the longest of two windows say nothing."""


@dataclass(frozen=True, slots=True)
class Objective:
    """`bad` of `total` must stay below `budget`. Both are PromQL of a window, written `[$w]`."""

    alert: str
    record: str
    """Of the recorded share of bad events, without the window."""
    bad: str
    total: str
    budget: float
    summary: Words

    def share(self, window: str) -> str:
        """The share of bad events in a window."""
        return f"({self.bad}) / ({self.total})".replace("$w", window)

    def recorded(self, window: str) -> str:
        """The name of the same, as it is recorded."""
        return f"lydia:{self.record}:bad_ratio_rate{window}"

    def alerts(self) -> list[Alert]:
        """Both severities."""
        return [
            Alert(self.alert, self._burns(severity), "2m" if severity == "page" else "15m", severity, self.summary)
            for severity in BURN
        ]

    def _burns(self, severity: Severity) -> str:
        burns = [
            f"({self.recorded(long)} > {times * self.budget:.6g} and {self.recorded(short)} > {times * self.budget:.6g}"
            f" and {self.total.replace('rate(', 'increase(').replace('$w', long)} > {FEW})"
            for long, short, times in BURN[severity]
        ]
        return " or ".join(burns)


def _late(histogram: str, le: float) -> tuple[str, str]:
    """Observations above a bucket's bound, and all."""
    total = f"sum(rate({histogram}_count[$w]))"
    return f'{total} - sum(rate({histogram}_bucket{{le="{le:.1f}"}}[$w]))', total


OBJECTIVES = (
    Objective(
        "LydiaVoiceLate",
        "turn_voice",
        *_late("lydia_turn_voice_seconds", 2),
        budget=0.01,
        summary=Words(
            "More than 1 % of her turns begin to sound later than 2 s after she chose them",
            "超过 1% 的话在选中 2 秒后才出声",
        ),
    ),
    Objective(
        "LydiaPaidThanksLate",
        "paid_thanks",
        *_late("lydia_paid_thanked_seconds", 60),
        budget=0.001,
        summary=Words(
            "More than 0.1 % of paid events are thanked later than a minute after they came",
            "超过 0.1% 的付费事件一分钟后才致谢",
        ),
    ),
    Objective(
        "LydiaIntakeErrors",
        "intake",
        'sum(rate(lydia_gateway_refused_total{reason=~"unavailable|too_slow|rooms_full"}[$w]))',
        "sum(rate(lydia_gateway_request_seconds_count[$w]))",
        budget=0.001,
        summary=Words(
            "The gateway refuses more than 0.1 % of requests for reasons of its own",
            "网关因自身原因拒绝超过 0.1% 的请求",
        ),
    ),
    Objective(
        "LydiaSoundGaps",
        "sound_gaps",
        "sum(rate(lydia_stage_turns_with_gaps_total[$w]))",
        "sum(rate(lydia_stage_turns_total[$w]))",
        budget=0.01,
        summary=Words("More than 1 % of her turns have a hole in the sound", "超过 1% 的话中间断音"),
    ),
)
