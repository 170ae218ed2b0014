"""Kafka and Redis: what carries the events and keeps the state."""

from __future__ import annotations

from deploy.dashboards.panel import Dashboard, Panel, Query, Words, rates

DASHBOARD = Dashboard(
    "kafka-redis",
    Words("Kafka and Redis", "Kafka 与 Redis"),
    Words("Whoever runs the machines under the show.", "维护底层机器的人。"),
    (
        Panel(
            Words("Reachable, as Lydia's services see it", "可达性（各服务所见）"),
            "short",
            (Query("min by (server) (lydia_server_reachable)", "{{server}}"),),
            Words(
                "0: LydiaRedisAway, LydiaKafkaAway or LydiaTritonAway.",
                "为 0：看 LydiaRedisAway、LydiaKafkaAway 或 LydiaTritonAway。",
            ),
        ),
        Panel(
            Words("Lag by group", "各组积压"),
            "short",
            (Query("max by (group, topic) (lydia_bus_lag_records)", "{{group}} · {{topic}}"),),
            Words(
                "Voice and frames count until they are performed. A line that only climbs: LydiaBusLag.",
                "语音和动作播完才算处理完。只升不降：LydiaBusLag。",
            ),
        ),
        Panel(
            Words("Records handled", "处理的记录"),
            "reqps",
            rates("lydia_records_handled_total", "topic"),
            Words(
                "One topic stops and those before it go on: its reader hangs.", "某主题停而上游照常：读它的服务卡住了。"
            ),
        ),
        Panel(
            Words("Handlers that had to try again", "重试"),
            "reqps",
            rates("lydia_handle_retries_total", "service"),
            Words("A server is away for moments. Look at the service's log.", "某服务器时断时续，看该服务日志。"),
            quiet=True,
        ),
        Panel(
            Words("Dead letters", "死信"),
            "short",
            (
                Query(
                    'sum by (service, topic) (lydia_records_handled_total{outcome="dead_letter"})',
                    "{{service}} · {{topic}}",
                ),
            ),
            Words("Each is somebody's event. See LydiaDeadLetters.", "每一条都是某人的事件。看 LydiaDeadLetters。"),
            quiet=True,
        ),
        Panel(
            Words("Kafka: partitions with too few copies", "Kafka：副本不足的分区"),
            "short",
            (Query("max by (topic) (lydia_bus_partitions_short_of_copies)", "{{topic}}"),),
            Words("A broker is away. See LydiaKafkaUnderReplicated.", "有 broker 不在。看 LydiaKafkaUnderReplicated。"),
        ),
        Panel(
            Words("Redis: memory used of what it may use", "Redis：内存占比"),
            "percentunit",
            (Query("max by (server) (lydia_state_memory_used_ratio)", "{{server}}"),),
            Words(
                "Above 0.8: LydiaRedisMemory. When full it takes no change.",
                "超过 0.8：LydiaRedisMemory；满了就不接受写入。",
            ),
        ),
        Panel(
            Words("Redis: last write of its log succeeded", "Redis：最近一次写日志成功"),
            "short",
            (Query("min by (server) (lydia_state_saving)", "{{server}}"),),
            Words("0: a full or broken disk. See LydiaRedisNotSaving.", "为 0：磁盘满或坏。看 LydiaRedisNotSaving。"),
        ),
        Panel(
            Words("Kafka: free share of the disks", "Kafka：磁盘剩余比例"),
            "percentunit",
            (Query("min by (broker) (lydia_bus_disk_free_ratio)", "broker {{broker}}"),),
            Words("Below 0.1: LydiaDiskFull.", "低于 0.1：LydiaDiskFull。"),
        ),
    ),
)
