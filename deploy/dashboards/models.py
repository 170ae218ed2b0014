"""Models and GPUs: which rung speaks, and what it costs."""

from __future__ import annotations

from deploy.dashboards.panel import Dashboard, Panel, Query, Words, quantiles, rates


def _per_request(duration: str) -> str:
    rate = f"sum by (model) (rate(nv_inference_{duration}_duration_us[$__rate_interval])) / 1e6"
    return f"{rate} / clamp_min(sum by (model) (rate(nv_inference_request_success[$__rate_interval])), 0.001)"


DASHBOARD = Dashboard(
    "models",
    Words("Models and GPUs", "模型与 GPU"),
    Words("Whoever runs the model servers.", "维护模型服务器的人。"),
    (
        Panel(
            Words("Turns served, by rung", "各级模型完成的段数"),
            "reqps",
            rates("lydia_rung_used_total", "rung"),
            Words(
                "Lower rungs take over: she still speaks, but plainer. See LydiaRungResting.",
                "低一级接手：还能说话，但效果差。看 LydiaRungResting。",
            ),
        ),
        Panel(
            Words("Steps down", "降级次数"),
            "reqps",
            rates("lydia_rung_failed_total", "rung"),
            Words("The log of the service says why it stepped down.", "服务日志写明降级原因。"),
            quiet=True,
        ),
        Panel(
            Words("Rungs left out at the moment", "正在停用的模型"),
            "short",
            (Query("max by (service, rung) (lydia_rung_resting)", "{{service}} · {{rung}}"),),
            Words("1 for minutes: LydiaRungResting.", "持续为 1：LydiaRungResting。"),
            quiet=True,
        ),
        Panel(
            Words("Speech: time to make a second of sound, p95", "语音：合成一秒声音用时，p95"),
            "short",
            quantiles("lydia_speech_real_time_ratio", "rung", q=(0.5, 0.95)),
            Words(
                "Above 1 it cannot keep up. More GPUs or processors, or a faster voice.",
                "大于 1 跟不上。加 GPU/CPU 或换快的嗓音。",
            ),
        ),
        Panel(
            Words("Turns in hand", "手上的段数"),
            "short",
            (Query("sum by (service) (lydia_turns_in_hand)", "{{service}}"),),
            Words("What chat, speech and motion are scaled by.", "对话、语音、动作按它伸缩。"),
        ),
        Panel(
            Words("Triton: requests", "Triton：请求"),
            "reqps",
            rates("nv_inference_request_success", "model"),
            Words(
                "Nothing while rooms speak: the services use models of their own.",
                "有人说话却为零：服务在用自己的模型。",
            ),
            source="triton",
        ),
        Panel(
            Words("Triton: failures", "Triton：失败"),
            "reqps",
            rates("nv_inference_request_failure", "model"),
            Words("See LydiaTritonFails.", "看 LydiaTritonFails。"),
            source="triton",
        ),
        Panel(
            Words("Triton: queue and computation, per request", "Triton：每请求排队与计算"),
            "s",
            (
                Query(_per_request("queue"), "{{model}} queue 排队"),
                Query(_per_request("compute_infer"), "{{model}} compute 计算"),
            ),
            Words(
                "Queue above 0.1 s: more instances. A decoupled model's computation is only its start.",
                "排队超过 0.1 秒：加实例。流式模型的计算时间只算启动。",
            ),
            source="triton",
        ),
        Panel(
            Words("Triton: requests that wait", "Triton：等待中的请求"),
            "short",
            (Query("sum by (model) (nv_inference_pending_request_count)", "{{model}}"),),
            Words("Grows and does not fall: LydiaTritonQueues.", "只增不减：LydiaTritonQueues。"),
            source="triton",
        ),
        Panel(
            Words("GPUs and processors of Triton: how busy", "Triton 的 GPU 与处理器：利用率"),
            "percentunit",
            (
                Query(
                    "max by (instance, gpu_uuid) (nv_gpu_utilization) or max by (instance) (nv_cpu_utilization)",
                    "{{instance}} {{gpu_uuid}}",
                ),
            ),
            Words(
                "Not what Lydia is scaled by: a busy GPU that keeps up is well used. Without a GPU named: processors.",
                "不按它伸缩：忙而跟得上就是用得好。没有 GPU 名的线是处理器。",
            ),
            source="triton",
        ),
        Panel(
            Words("GPUs and machines of Triton: memory used", "Triton 的 GPU 与机器：内存占比"),
            "percentunit",
            (
                Query(
                    "max by (instance, gpu_uuid) (nv_gpu_memory_used_bytes / nv_gpu_memory_total_bytes)"
                    " or max by (instance) (nv_cpu_memory_used_bytes / nv_cpu_memory_total_bytes)",
                    "{{instance}} {{gpu_uuid}}",
                ),
            ),
            Words(
                "Near 1: fewer instances on this GPU, or a larger slice. Without a GPU named: machines.",
                "接近 1：减少实例或换更大的切片。没有 GPU 名的线是机器。",
            ),
            source="triton",
        ),
    ),
)
