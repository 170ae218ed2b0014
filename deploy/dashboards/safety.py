"""Safety: label, operators, moderation, stops."""

from __future__ import annotations

from deploy.dashboards.panel import Dashboard, Panel, Query, Words, quantiles, rates

DASHBOARD = Dashboard(
    "safety",
    Words("Safety", "安全"),
    Words("Whoever answers for what is said and shown.", "对内容和展示负责的人。"),
    (
        Panel(
            Words("AI label: reports that it is not to be seen", "AI 标识：报告看不见"),
            "short",
            (
                Query(
                    'sum(increase(lydia_renderer_label_reports_total{shown="no"}[5m])) or vector(0)', "not shown 看不见"
                ),
            ),
            Words(
                "Anything above 0: LydiaLabelMissing, at once. The law wants the label for the whole show.",
                "大于 0 立即看 LydiaLabelMissing：法规要求全程显示。",
            ),
            kind="stat",
        ),
        Panel(
            Words("AI label: renderers that report it shown, per second", "AI 标识：每秒报告已显示"),
            "reqps",
            (Query('sum(rate(lydia_renderer_label_reports_total{shown="yes"}[$__rate_interval]))', "shown 已显示"),),
            Words(
                "About one for each page that is open. Falls while pages are open: they no longer report.",
                "每个打开的页面约每秒一次；页面还开着却下降：不再报告。",
            ),
            quiet=True,
        ),
        Panel(
            Words("Watched rooms without an operator", "有人看却无人值守的直播间"),
            "short",
            (Query("sum(lydia_stage_unattended_rooms)", "unattended 无人值守"),),
            Words("Somebody must open the console: LydiaNoOperator.", "需有人打开控制台：LydiaNoOperator。"),
            kind="stat",
        ),
        Panel(
            Words("Rooms in panic, muted, or in an operator's hands", "紧急停播、静音、人工接管的直播间"),
            "short",
            (
                Query("sum(lydia_stage_panicked_rooms)", "panic 紧急停播"),
                Query("sum(lydia_stage_muted_rooms)", "muted 静音"),
                Query("sum(lydia_stage_manual_rooms)", "approve or takeover 人工"),
            ),
            Words("Panic that stays: LydiaRoomInPanic.", "紧急状态一直在：LydiaRoomInPanic。"),
        ),
        Panel(
            Words("What operators did", "值守操作"),
            "short",
            (Query("sum by (action) (increase(lydia_operator_actions_total[5m]))", "{{action}}"),),
            Words(
                "Many skips and stops: look at what she says, and tune the words.",
                "跳过和停止多：检查她说了什么，调整词库。",
            ),
            quiet=True,
        ),
        Panel(
            Words("Epochs that were stopped, by cause", "被打断的次数（按原因）"),
            "reqps",
            rates("lydia_stage_stopped_epochs_total", "cause"),
            Words("supersede is a gift that cut in; the others are people.", "supersede 是礼物插队，其余是人。"),
            quiet=True,
        ),
        Panel(
            Words("From an order to silence", "从下令到安静"),
            "s",
            quantiles("lydia_stop_seconds", q=(0.5, 0.99)),
            Words("Above 0.2 s: LydiaStopsLate.", "超过 0.2 秒：LydiaStopsLate。"),
            quiet=True,
        ),
        Panel(
            Words("Messages refused by moderation", "审核拒绝的发言"),
            "reqps",
            rates("lydia_decisions_total", "lane", of='reason="moderated"'),
            Words(
                "A wave: somebody provokes her. Consider the mode “approve”.",
                "突然增多：有人带节奏。考虑切到审批模式。",
            ),
            quiet=True,
        ),
        Panel(
            Words("Her own words held back, by category", "她自己的话被拦下（按类别）"),
            "reqps",
            rates("lydia_chat_held_back_total", "category"),
            Words("The language model goes astray: LydiaHeldBack.", "大模型跑偏：LydiaHeldBack。"),
            quiet=True,
        ),
        Panel(
            Words("Pushes with a wrong signature", "签名错误的推送"),
            "reqps",
            rates("lydia_gateway_refused_total", "reason", of='reason=~"signature|replayed|stale|token|no_secret"'),
            Words(
                "A changed secret, or somebody tries: LydiaSignaturesWrong.",
                "密钥改了，或有人试探：LydiaSignaturesWrong。",
            ),
            quiet=True,
        ),
    ),
)
