"""What is broken or about to break, whether viewers feel it already or not."""

from __future__ import annotations

from deploy.alerts.alert import Alert
from deploy.dashboards.panel import Words

DEAD = 'lydia_records_handled_total{outcome="dead_letter"}'


def _new(counter: str, window: str) -> str:
    """Whether a counter grew, also when its series has only just begun."""
    return f"(increase({counter}[{window}]) > 0 or ({counter} > 0 unless {counter} offset {window}))"


CAUSES = (
    # --- safety
    Alert(
        "LydiaLabelMissing",
        'sum(increase(lydia_renderer_label_reports_total{shown="no"}[2m])) > 5',
        "30s",
        "page",
        Words("Renderers report that the AI label is not to be seen", "播放端报告看不到 AI 标识"),
    ),
    Alert(
        "LydiaNoOperator",
        "sum(lydia_stage_unattended_rooms) > 0",
        "5m",
        "page",
        Words("A room is watched, and nobody is on duty for it", "有直播间在播却无人值守"),
    ),
    Alert(
        "LydiaRoomInPanic",
        "sum(lydia_stage_panicked_rooms) > 0",
        "10m",
        "ticket",
        Words("A room has been in panic for ten minutes", "有直播间紧急停播已十分钟"),
    ),
    Alert(
        "LydiaStopsLate",
        "histogram_quantile(0.99, sum by (le) (rate(lydia_stop_seconds_bucket[15m]))) > 0.2",
        "1m",
        "page",
        Words("Orders to stop take longer than 200 ms", "停止指令超过 200 毫秒才生效"),
    ),
    Alert(
        "LydiaHeldBack",
        "sum(rate(lydia_chat_held_back_total[15m])) / sum(rate(lydia_stage_turns_total[15m])) > 0.05",
        "5m",
        "ticket",
        Words("Moderation replaces more than one in twenty of her turns", "她的话有二十分之一以上被审核替换"),
    ),
    # --- money
    Alert(
        "LydiaPaidOwed",
        'max(lydia_oldest_waiting_seconds{lane="paid"}) > 120',
        "1m",
        "page",
        Words("Somebody paid two minutes ago and is not thanked yet", "有人付费两分钟仍未致谢"),
    ),
    Alert(
        "LydiaAcksDropped",
        _new('lydia_douyin_acks_total{outcome="dropped"}', "30m"),
        "0s",
        "ticket",
        Words("Reports to the platform were given up", "有向平台的回报被放弃"),
    ),
    # --- the show
    Alert(
        "LydiaSilent",
        'sum(rate(lydia_audience_events_total{kind=~"chat|gift|super_chat"}[5m])) > 0.05'
        " and sum(rate(lydia_stage_heard_seconds_total[5m])) == 0"
        " and sum(lydia_stage_panicked_rooms + lydia_stage_muted_rooms + lydia_stage_manual_rooms) == 0",
        "2m",
        "page",
        Words("Viewers write, and she has not said a word for minutes", "观众在发言，她却几分钟没说话"),
    ),
    Alert(
        "LydiaChatStuck",
        'max(lydia_oldest_waiting_seconds{lane="chat"}) > 90',
        "1m",
        "page",
        Words("Messages wait longer than they live: nobody decides", "弹幕等待超过有效期：没有进程在决策"),
    ),
    Alert(
        "LydiaPushStopped",
        'sum by (type) (lydia_douyin_push_tasks{state="stopped"}) > 0',
        "2m",
        "page",
        Words("The platform does not push events of a type", "平台停止推送某类事件"),
    ),
    Alert(
        "LydiaPlatformRefuses",
        'sum by (call) (rate(lydia_douyin_calls_total{code!="0"}[10m]))'
        " / sum by (call) (rate(lydia_douyin_calls_total[10m])) > 0.5",
        "10m",
        "ticket",
        Words("The platform answers more than half of our calls with an error", "平台对我方调用过半返回错误"),
    ),
    Alert(
        "LydiaSignaturesWrong",
        'sum(increase(lydia_gateway_refused_total{reason=~"signature|no_secret|stale"}[5m])) > 10',
        "1m",
        "page",
        Words("Pushes are refused for their signature, secret or time", "推送因签名、密钥或时间被拒"),
    ),
    Alert(
        "LydiaRendererDrift",
        "histogram_quantile(0.95, sum by (le) (rate(lydia_renderer_drift_seconds_bucket[10m]))) > 0.1",
        "10m",
        "ticket",
        Words("Renderers play a tenth of a second beside the clock", "播放端与时钟偏差超过 0.1 秒"),
    ),
    # --- services
    Alert(
        "LydiaServiceDown",
        'up{job=~".*lydia.*"} == 0 or absent(up{job=~".*lydia.*"})',
        "1m",
        "page",
        Words("A process of Lydia does not answer Prometheus", "Lydia 的进程不应答监控"),
    ),
    Alert(
        "LydiaRestarts",
        'changes(process_start_time_seconds{job=~".*lydia.*"}[30m]) > 2',
        "1m",
        "ticket",
        Words("A process of Lydia starts again and again", "Lydia 的进程反复重启"),
    ),
    Alert(
        "LydiaBusLag",
        "max by (group, topic) (lydia_bus_lag_records) > 50 + 50 * scalar(sum(lydia_stage_rooms) or vector(0))",
        "3m",
        "page",
        Words("A group is far behind on its topic", "某组远远落后于主题"),
    ),
    Alert(
        "LydiaDeadLetters",
        f"sum by (service, topic) {_new(DEAD, '15m')}",
        "0s",
        "ticket",
        Words("Events could not be processed and lie among the dead letters", "有事件无法处理，进入死信"),
    ),
    Alert(
        "LydiaReplicasAway",
        'sum(rate(lydia_bridge_calls_total{outcome="not_taken"}[5m])) / sum(rate(lydia_bridge_calls_total[5m])) > 0.5',
        "1m",
        "page",
        Words("Most batches find no replica that takes them", "多数批次没有副本接收"),
    ),
    # --- models
    Alert(
        "LydiaRungResting",
        "avg_over_time(lydia_rung_resting[10m]) > 0.5",
        "5m",
        "ticket",
        Words("She works below her best model", "她没有用上最好的模型"),
    ),
    Alert(
        "LydiaTritonQueues",
        "sum by (model) (rate(nv_inference_queue_duration_us[5m])) / 1e6"
        " / sum by (model) (rate(nv_inference_request_success[5m])) > 0.1",
        "5m",
        "ticket",
        Words("Requests wait for a model longer than 0.1 s", "请求等模型超过 0.1 秒"),
        "triton",
    ),
    Alert(
        "LydiaTritonFails",
        "sum by (model) (rate(nv_inference_request_failure[5m]))"
        " / (sum by (model) (rate(nv_inference_request_success[5m]))"
        " + sum by (model) (rate(nv_inference_request_failure[5m]))) > 0.01",
        "5m",
        "ticket",
        Words("More than 1 % of a model's requests fail", "模型请求失败超过 1%"),
        "triton",
    ),
    # --- servers
    Alert(
        "LydiaRedisAway",
        'min(lydia_server_reachable{server="redis"}) == 0',
        "30s",
        "page",
        Words("Redis does not answer", "Redis 不应答"),
    ),
    Alert(
        "LydiaKafkaAway",
        'min(lydia_server_reachable{server="kafka"}) == 0',
        "30s",
        "page",
        Words("Kafka does not answer", "Kafka 不应答"),
    ),
    Alert(
        "LydiaTritonAway",
        'min(lydia_server_reachable{server="triton"}) == 0',
        "1m",
        "page",
        Words("No Triton has the models: she goes on with lesser ones", "没有 Triton 提供模型：她改用较差的模型"),
    ),
    Alert(
        "LydiaKafkaUnderReplicated",
        "max by (topic) (lydia_bus_partitions_short_of_copies) > 0",
        "5m",
        "page",
        Words("Partitions have fewer copies than they should", "分区副本数不足"),
    ),
    Alert(
        "LydiaRedisMemory",
        "max by (server) (lydia_state_memory_used_ratio) > 0.8",
        "5m",
        "page",
        Words("Redis has used four fifths of its memory", "Redis 内存已用八成"),
    ),
    Alert(
        "LydiaRedisNotSaving",
        "min by (server) (lydia_state_saving) == 0",
        "1m",
        "page",
        Words(
            "Redis does not write its log: a restart would lose what is owed", "Redis 没有写日志：重启会丢失欠谢记录"
        ),
    ),
    Alert(
        "LydiaDiskFull",
        "min by (broker) (lydia_bus_disk_free_ratio) < 0.1",
        "10m",
        "page",
        Words("A broker's disk has less than a tenth of its space left", "Kafka 的磁盘剩余不足十分之一"),
    ),
)
