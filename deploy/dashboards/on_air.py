"""On air: for the people who run a show."""

from __future__ import annotations

from deploy.dashboards.panel import Dashboard, Panel, Query, Words, quantiles, rates

DASHBOARD = Dashboard(
    "on-air",
    Words("On air", "直播中"),
    Words("Whoever runs shows: is she there, does she answer, who waits?", "值守直播的人：她在吗？有回应吗？谁在等？"),
    (
        Panel(
            Words("Rooms: open, watched, speaking", "直播间：已开、有人看、正在说话"),
            "short",
            (
                Query("sum(lydia_stage_rooms)", "open 已开"),
                Query("sum(lydia_stage_watched_rooms)", "watched 有人看"),
                Query("sum(lydia_stage_speaking_rooms)", "speaking 说话中"),
            ),
            Words(
                "Watched rooms and nobody speaks for minutes: see who waits below, then LydiaSilent.",
                "有人看却长时间没人说话：先看下面谁在等，再看 LydiaSilent 手册。",
            ),
        ),
        Panel(
            Words("From choice to first voice", "从选中到出声"),
            "s",
            quantiles("lydia_turn_voice_seconds", q=(0.5, 0.95, 0.99)),
            Words(
                "Above 2 s viewers feel it. Open “Where the milliseconds go” and find the hop that grew.",
                "超过 2 秒观众会觉得慢。打开“时间花在哪”，找变慢的一环。",
            ),
        ),
        Panel(
            Words("From a viewer's message to her voice, wait included", "从观众发言到她开口（含排队）"),
            "s",
            quantiles("lydia_first_voice_seconds", "lane", q=(0.5, 0.95)),
            Words(
                "Grows with a busy room even when all works: she says about four characters a second.",
                "房间越热闹越长，未必是故障：她每秒只能说约四个字。",
            ),
        ),
        Panel(
            Words("Who waits", "谁在等"),
            "short",
            (Query("sum by (lane) (lydia_waiting_events)", "{{lane}}"),),
            Words(
                "Chat falls by itself after 45 s. Paid must fall: see LydiaPaidOwed.",
                "普通弹幕 45 秒后自动过期；付费的必须降下来：看 LydiaPaidOwed。",
            ),
        ),
        Panel(
            Words("Oldest that waits", "等得最久的"),
            "s",
            (Query("max by (lane) (lydia_oldest_waiting_seconds)", "{{lane}}"),),
            Words(
                "Paid above a minute: LydiaPaidOwed. Chat above its lifetime: LydiaChatStuck.",
                "付费超过一分钟：LydiaPaidOwed；弹幕超过有效期：LydiaChatStuck。",
            ),
        ),
        Panel(
            Words("Gifts owed", "欠谢的礼物"),
            "short",
            (Query("sum(lydia_paid_owed_events)", "owed 欠谢"),),
            Words(
                "A number that only grows: she is muted, in takeover, or not performed. See LydiaPaidOwed.",
                "只增不减：可能被静音、被接管，或没有播出。看 LydiaPaidOwed。",
            ),
            kind="stat",
        ),
        Panel(
            Words("What viewers do", "观众在做什么"),
            "reqps",
            rates("lydia_audience_events_total", "kind"),
            Words(
                "Suddenly nothing: the platform does not push. See LydiaPushStopped.",
                "突然归零：平台没有推送。看 LydiaPushStopped。",
            ),
        ),
        Panel(
            Words("What she says, by cause", "她因何开口"),
            "reqps",
            rates("lydia_turns_total", "cause"),
            Words(
                "Only “silence”: nobody writes, or nothing of it arrives.",
                "只有 silence（自言自语）：没人发言，或发言没有到达。",
            ),
        ),
        Panel(
            Words("Voice that is heard, seconds per second", "每秒播出的语音时长"),
            "short",
            (Query("sum(rate(lydia_stage_heard_seconds_total[$__rate_interval]))", "heard 播出"),),
            Words(
                "About the number of speaking rooms. Zero with events coming in: LydiaSilent.",
                "应接近正在说话的房间数。有事件却为零：LydiaSilent。",
            ),
        ),
        Panel(
            Words("How turns ended", "每段话怎样结束"),
            "reqps",
            rates("lydia_stage_turns_total", "outcome"),
            Words(
                "Many “failed”: the voice does not arrive; see “Models and GPUs”.",
                "failed 多：语音没到，看“模型与 GPU”。",
            ),
        ),
    ),
)
