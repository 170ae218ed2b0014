"""Where the milliseconds go: each hop on the way from a push to the first sound."""

from __future__ import annotations

from deploy.dashboards.panel import Dashboard, Panel, Query, Words, quantiles

DASHBOARD = Dashboard(
    "milliseconds",
    Words("Where the milliseconds go", "时间花在哪"),
    Words("Whoever looks for the hop that became slow, from left to right.", "找出变慢的一环：从左到右看。"),
    (
        Panel(
            Words("Gateway: answer to a push", "网关：应答推送"),
            "s",
            quantiles("lydia_gateway_request_seconds", "platform", q=(0.5, 0.99)),
            Words(
                "Douyin gives up after 2 s. Slow here is a slow bus or a starved process.",
                "抖音 2 秒即放弃。慢在这里：总线慢或进程缺 CPU。",
            ),
        ),
        Panel(
            Words("On the way: event's stamp to its handling, p95", "路上：从盖戳到开始处理，p95"),
            "s",
            quantiles("lydia_transit_seconds", "topic", q=(0.95,)),
            Words(
                "Text and voice wait behind the sound being spoken, which is meant. Turns and frames must not.",
                "文本与语音会排在正在说的话后面，正常；turns 和 frames 不该等。",
            ),
        ),
        Panel(
            Words("At work: time in each handler, p95", "处理：各服务处理时间，p95"),
            "s",
            quantiles("lydia_handle_seconds", "service", q=(0.95,)),
            Words(
                "The one service that grew is the one to scale or to look into.",
                "哪个服务变长，就扩容或排查哪个。",
            ),
        ),
        Panel(
            Words("Chat: to the first words, by rung", "对话：到第一句话（按模型）"),
            "s",
            quantiles("lydia_chat_first_words_seconds", "rung", q=(0.5, 0.95)),
            Words(
                "A language model's first token. Too slow: a smaller model, or more of them.",
                "大模型首个词的时间。太慢：换小模型或加副本。",
            ),
        ),
        Panel(
            Words("Speech: first words to first sound", "语音：从文字到第一声"),
            "s",
            quantiles("lydia_speech_first_chunk_seconds", q=(0.5, 0.95)),
            Words("Compare with the queue in Triton beside it.", "对照旁边 Triton 的排队时间。"),
        ),
        Panel(
            Words("Triton: waiting for a model, per request", "Triton：每个请求排队时间"),
            "s",
            (
                Query(
                    "sum by (model) (rate(nv_inference_queue_duration_us[$__rate_interval])) / 1e6"
                    " / clamp_min(sum by (model) (rate(nv_inference_request_success[$__rate_interval])), 0.001)",
                    "{{model}}",
                ),
            ),
            Words(
                "Above 0.1 s: too few instances. See LydiaTritonQueues.",
                "超过 0.1 秒：实例不够。看 LydiaTritonQueues。",
            ),
            source="triton",
        ),
        Panel(
            Words("Bridge: a batch to a replica and back", "桥：一批到副本往返"),
            "s",
            quantiles("lydia_bridge_call_seconds", q=(0.5, 0.95)),
            Words("Replicas are busy or away: “Audience and autoscaling”.", "副本忙或不在：看“观众与伸缩”。"),
            source="ray",
        ),
        Panel(
            Words("The whole: choice to first voice, by lane", "全程：从选中到出声（按通道）"),
            "s",
            quantiles("lydia_turn_voice_seconds", "lane", q=(0.5, 0.95)),
            Words("The sum of all the others. Objective: 99 % within 2 s.", "以上之和。目标：99% 在 2 秒内。"),
        ),
        Panel(
            Words("Stop: from the order to silence", "停止：从下令到安静"),
            "s",
            quantiles("lydia_stop_seconds", q=(0.5, 0.99)),
            Words("Above 0.2 s: control is late. See LydiaStopsLate.", "超过 0.2 秒：控制延迟。看 LydiaStopsLate。"),
            quiet=True,
        ),
        Panel(
            Words("Renderers: drift from the audio clock, p95", "播放端：与音频时钟的偏差，p95"),
            "s",
            quantiles("lydia_renderer_drift_seconds", q=(0.95,)),
            Words(
                "Above 0.1 s lips part from voice: the viewer's machine or its network.",
                "超过 0.1 秒口型对不上：观众端机器或网络。",
            ),
            quiet=True,
        ),
    ),
)
