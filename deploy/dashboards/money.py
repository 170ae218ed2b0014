"""Money: what was given, thanked, owed."""

from __future__ import annotations

from deploy.dashboards.panel import Dashboard, Panel, Query, Words, quantiles, rates

DASHBOARD = Dashboard(
    "money",
    Words("Money", "打赏"),
    Words("Whoever answers to those who pay.", "对付费观众负责的人。"),
    (
        Panel(
            Words(
                "Paid events: accepted and thanked, since the processes started", "付费事件：已收与已谢（进程启动以来）"
            ),
            "short",
            (
                Query("sum(lydia_paid_events_accepted_total)", "accepted 已收"),
                Query("sum(lydia_paid_thanked_seconds_count)", "thanked 已谢"),
                Query('sum(lydia_decisions_total{lane="paid",outcome="dropped"}) or vector(0)', "declined 已拒"),
            ),
            Words(
                "Accepted = thanked + declined + owed. A rest that stays is a fault: tell us.",
                "已收 = 已谢 + 已拒 + 欠谢；差额不消失就是故障，请报告。",
            ),
        ),
        Panel(
            Words("Owed: events", "欠谢：件数"),
            "short",
            (Query("sum(lydia_paid_owed_events)", "owed 欠谢"),),
            Words("LydiaPaidOwed.", "看 LydiaPaidOwed。"),
            kind="stat",
        ),
        Panel(
            Words("Owed: yuan", "欠谢：金额"),
            "yuan",
            (Query("sum(lydia_paid_owed_yuan)", "owed 欠谢"),),
            Words("LydiaPaidOwed.", "看 LydiaPaidOwed。"),
            kind="stat",
        ),
        Panel(
            Words("Yuan per minute: accepted and thanked", "每分钟金额：已收与已谢"),
            "yuan",
            (
                Query("sum(rate(lydia_paid_accepted_yuan_total[$__rate_interval])) * 60", "accepted 已收"),
                Query("sum(rate(lydia_paid_thanked_yuan_total[$__rate_interval])) * 60", "thanked 已谢"),
            ),
            Words(
                "Thanked follows accepted by seconds. A gap that stays: LydiaPaidOwed.",
                "已谢应紧跟已收几秒；差距不消失：LydiaPaidOwed。",
            ),
        ),
        Panel(
            Words("From a gift to its thanks", "从礼物到致谢"),
            "s",
            quantiles("lydia_paid_thanked_seconds", q=(0.5, 0.95, 0.99)),
            Words(
                "Objective: 99.9 % within a minute. See LydiaPaidThanksLate.",
                "目标：99.9% 在一分钟内。看 LydiaPaidThanksLate。",
            ),
        ),
        Panel(
            Words("Oldest paid event that is owed thanks", "等致谢最久的付费事件"),
            "s",
            (Query('max(lydia_oldest_waiting_seconds{lane="paid"})', "oldest 最久"),),
            Words("Above two minutes: LydiaPaidOwed.", "超过两分钟：LydiaPaidOwed。"),
        ),
        Panel(
            Words("Paid events declined, by reason", "被拒的付费事件（按原因）"),
            "short",
            (Query('sum by (reason) (lydia_decisions_total{lane="paid",outcome="dropped"})', "{{reason}}"),),
            Words(
                "Only people decline them: skipped in the console, or withdrawn by the platform.",
                "只有人会拒：控制台跳过，或平台撤回。",
            ),
            quiet=True,
        ),
        Panel(
            Words("Found in the platform's failed data", "从平台失败数据中找回"),
            "short",
            (Query("sum by (type) (increase(lydia_douyin_recovered_total[1h]))", "{{type}}"),),
            Words(
                "Pushes failed and were fetched afterwards: look at intake at that time.",
                "推送失败后补取：看当时的接入情况。",
            ),
            quiet=True,
        ),
        Panel(
            Words("Reports to the platform", "向平台回报"),
            "reqps",
            rates("lydia_douyin_acks_total", "outcome"),
            Words("dropped: LydiaAcksDropped.", "有 dropped：看 LydiaAcksDropped。"),
            quiet=True,
        ),
    ),
)
