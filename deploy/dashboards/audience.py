"""Audience and autoscaling: what viewers do, what is chosen, and how many decide."""

from __future__ import annotations

from deploy.dashboards.panel import Dashboard, Panel, Query, Words, quantiles, rates

DASHBOARD = Dashboard(
    "audience",
    Words("Audience and autoscaling", "观众与伸缩"),
    Words("Whoever decides how much machine the shows need.", "决定要多少机器的人。"),
    (
        Panel(
            Words("Rooms with events within half an hour", "半小时内有事件的直播间"),
            "short",
            (
                Query("sum(lydia_gateway_rooms)", "rooms 房间"),
                Query("sum(lydia_audience_rooms)", "decided for 有人决策"),
            ),
            Words(
                "Near stage.max_rooms: raise it, or open a further release.", "接近 stage.max_rooms：调高或再装一套。"
            ),
        ),
        Panel(
            Words("Events taken in", "接收的事件"),
            "reqps",
            (
                Query(
                    "sum by (platform, kind) (rate(lydia_audience_events_total[$__rate_interval]))",
                    "{{platform}} {{kind}}",
                ),
            ),
            Words("A platform at zero: LydiaPushStopped.", "某平台为零：LydiaPushStopped。"),
        ),
        Panel(
            Words("Requests refused, by reason", "拒绝的请求（按原因）"),
            "reqps",
            rates("lydia_gateway_refused_total", "reason"),
            Words(
                "unavailable, too_slow, rooms_full: LydiaIntakeErrors. signature: LydiaSignaturesWrong.",
                "自身原因（unavailable、too_slow、rooms_full）看 LydiaIntakeErrors；签名看 LydiaSignaturesWrong。",
            ),
            quiet=True,
        ),
        Panel(
            Words("Left out by the gateway, by lane and reason", "网关舍弃的事件（按通道与原因）"),
            "reqps",
            (
                Query(
                    "sum by (lane, reason) (rate(lydia_gateway_shed_total[$__rate_interval]))", "{{lane}} · {{reason}}"
                ),
            ),
            Words(
                "room_busy: one large room, as meant (gateway.room_per_s). all_busy: more gateways are needed. "
                "gateway_behind: a gateway or its bus cannot keep up.",
                "room_busy：单个大直播间，属正常（gateway.room_per_s）。all_busy：需要更多网关。gateway_behind：网关或消息总线跟不上。",
            ),
            quiet=True,
        ),
        Panel(
            Words("What became of events", "事件的去向"),
            "reqps",
            (
                Query(
                    "sum by (outcome, reason) (rate(lydia_decisions_total[$__rate_interval]))",
                    "{{outcome}} · {{reason}}",
                ),
            ),
            Words(
                "Many queue_full or expired is a busy room, not a fault.", "queue_full、expired 多说明热闹，不是故障。"
            ),
        ),
        Panel(
            Words("Age of the oldest that waits", "等得最久的"),
            "s",
            (Query("max by (lane) (lydia_oldest_waiting_seconds)", "{{lane}}"),),
            Words("What audience is scaled by, with the lag.", "观众服务按它和积压伸缩。"),
        ),
        Panel(
            Words("Audience: lag", "观众服务：积压"),
            "short",
            (Query('max by (topic) (lydia_bus_lag_records{group="audience"})', "{{topic}}"),),
            Words("Climbs: too few bridges or replicas.", "上升：桥或副本不够。"),
        ),
        Panel(
            Words("Bridge: records that wait for a replica", "桥：等副本的记录"),
            "short",
            (Query("sum(lydia_bridge_waiting_records)", "waiting 等待"),),
            Words("Replicas are too few or away: LydiaReplicasAway.", "副本不足或不在：LydiaReplicasAway。"),
            source="ray",
        ),
        Panel(
            Words("Bridge: calls", "桥：调用"),
            "reqps",
            rates("lydia_bridge_calls_total", "outcome"),
            Words("not_taken: LydiaReplicasAway.", "有 not_taken：看 LydiaReplicasAway。"),
            source="ray",
        ),
        Panel(
            Words("Ray Serve: replicas wanted and running", "Ray Serve：目标与实际副本数"),
            "short",
            (
                Query('max(ray_serve_autoscaling_target_replicas{deployment="rooms"})', "wanted 目标"),
                Query(
                    'count(count by (replica) (ray_serve_replica_processing_queries{deployment="rooms"}))',
                    "running 实际",
                ),
            ),
            Words("Wanted above running for minutes: no node has room.", "目标长期大于实际：没有节点放得下。"),
            source="ray",
        ),
        Panel(
            Words("Ray Serve: time of a call, p95", "Ray Serve：一次调用，p95"),
            "ms",
            quantiles("ray_serve_deployment_processing_latency_ms", "deployment", q=(0.5, 0.95)),
            Words("Redis or the bus is slow, or a replica has too many rooms.", "Redis 或总线慢，或一个副本房间太多。"),
            source="ray",
        ),
        Panel(
            Words("Ray Serve: calls under way", "Ray Serve：进行中的调用"),
            "short",
            (Query("sum by (deployment) (ray_serve_replica_processing_queries)", "{{deployment}}"),),
            Words(
                "What replicas are scaled by (ray.target_calls for each).", "副本按它伸缩（每个 ray.target_calls）。"
            ),
            source="ray",
        ),
        Panel(
            Words("Processor seconds per second, by service", "各服务 CPU"),
            "short",
            rates("process_cpu_seconds_total", "instance"),
            Words("A process at 1 has no more to give: one more of it.", "单进程到 1 就到顶：再加一个。"),
        ),
        Panel(
            Words("Memory, by service", "各服务内存"),
            "bytes",
            (Query("max by (instance) (process_resident_memory_bytes)", "{{instance}}"),),
            Words("A line that only climbs is a leak: restart it, and tell us.", "只升不降是泄漏：重启并报告。"),
        ),
    ),
)
