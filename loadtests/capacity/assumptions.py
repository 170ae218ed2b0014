"""What the plan assumes because it cannot be measured here. Each can be given anew: `--assume KEY=VALUE`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.core.settings import Settings

TAKEN_PER_S = Settings().gateway.room_per_s


@dataclass(frozen=True, slots=True)
class Assumption:
    """One figure, and why it is believed."""

    key: str
    value: float
    unit: str
    because: str


ALL = (
    # rooms
    Assumption("quiet_share", 0.80, "of the rooms", "no public figure; few rooms are large, many small"),
    Assumption("normal_share", 0.18, "of the rooms", "the same; the rest is busy"),
    Assumption("quiet_comments", 0.55, "comments/s", "middle of the simulator's profile `quiet`"),
    Assumption("normal_comments", 3.0, "comments/s", "middle of the profile `normal`"),
    Assumption("busy_comments", 35.0, "comments/s", "middle of the profile `busy`"),
    Assumption("events_per_comment", 3.28, "events", "the simulator: likes 2, entering 0.2, gifts 0.05, the rest 0.03"),
    Assumption("paid_per_comment", 0.05, "gifts", "the simulator's share of gifts"),
    Assumption("speaking_share", 0.5, "of the time", "she answers, thanks, and fills silences of 20 s"),
    Assumption("turn_s", 8.0, "s", "30 characters at four a second"),
    Assumption("room_per_s", TAKEN_PER_S, "events/s", "gateway.room_per_s, of messages and of the rest each; 0: all"),
    Assumption("shed_s", 150e-6, "s of a core", "an event that is shed: 0.1 ms in pushes of 50, without HTTP"),
    Assumption("celebrity_comments", 900.0, "comments/s", "middle of the profile `cap`: all that pushes can carry"),
    Assumption("natural_voice", 0.10, "core·s for a s", "of sound, by her own voice: make bench; 0: the fast voice"),
    Assumption("renderers", 1.0, "for each room", "one page or Unreal sends the picture to the platform"),
    # Kubernetes
    Assumption("zones", 3.0, "", "deploy/environments/production"),
    Assumption("busy_core", 0.9, "of a core", "above this an event loop's queue grows without bounds for moments"),
    Assumption("node_cores", 16.0, "vCPU", "a middling node; a vCPU counts as a core of the measured machine"),
    Assumption("node_memory_gb", 64.0, "GB", "4 GB for a vCPU, as general-purpose nodes have"),
    Assumption("node_usable", 0.9, "of a node", "the rest is for the kubelet and what runs on every node"),
    Assumption("pod_start_s", 30.0, "s", "scheduling and probes; a service itself was ready after 5 s here"),
    Assumption("node_start_s", 150.0, "s", "cloud node to ready; GPU nodes: see gpu_node_start_s"),
    Assumption("gpu_node_start_s", 420.0, "s", "the same with drivers and models of many GB to load"),
    Assumption("node_lost_s", 50.0, "s", "Kubernetes 1.36: --node-monitor-grace-period, until a silent node is lost"),
    Assumption("evict_every_s", 10.0, "s", "the same: --node-eviction-rate 0.1; one after another"),
    Assumption("tolerated_s", 10.0, "s", "the chart's placement.awaySeconds: a pod waits so long for its node"),
    Assumption("cluster_nodes", 30.0, "nodes", "of one Kubernetes cluster: a lost zone's are given up within 100 s"),
    Assumption("scale_every_s", 15.0, "s", "KEDA's and the HPA's usual interval"),
    Assumption("headroom", 0.10, "of the demand", "capacity kept for what grows while nodes start"),
    Assumption("evenly", 0.99999, "of the replicas", "so many are not overloaded by the large rooms that met on them"),
    # Kafka
    Assumption("broker_mb_per_s", 100.0, "MB/s written", "cloud disks of 250 MB/s, half used"),
    Assumption("kafka_copies", 3.0, "", "one in each zone"),
    Assumption("session_s", 6.0, "s", "services.core.bus.kafka: a member that died keeps its partitions so long"),
    Assumption("rejoin_s", 3.0, "s", "the members that are left share them anew"),
    Assumption("replica_s", 12.5, "s", "without voice when Ray's worker was killed (deploy/operations.md)"),
    Assumption("hop_s", 0.005, "s", "a record through Kafka, kafka-python on a real broker, p50 (loadtests.hops)"),
    # prices, US dollars
    Assumption("core_hour", 0.0408, "USD", "AWS m7g.large on demand, us-east-1, June 2026: 0.0816 for two"),
    Assumption("gpu_hour", 1.006, "USD", "AWS g5.xlarge (one A10G) on demand, us-east-1, June 2026"),
    Assumption("egress_gb", 0.05, "USD/GB", "large volumes; nothing where renderers run in the same network"),
    Assumption("disk_gb_month", 0.08, "USD/GB", "general-purpose cloud disks"),
    # GPUs, where the best rungs run on them
    Assumption("gpu_tokens_per_s", 1000.0, "tokens/s", "8 B model, vLLM, one A40, 50 at once: 1,017 published"),
    Assumption("tokens_per_voice_s", 4.0, "tokens", "she says about four characters a second"),
    Assumption("gpu_voice_s", 84.0, "s of sound/s", "half of HiFi-GAN's 168 × real time on a V100 (2010.05646)"),
    Assumption("gpu_motion_rooms", 50.0, "rooms speaking", "Audio2Face-3D: 100 fit an A10G (9 GB + 0.15 each); half"),
    Assumption("gpu_busy", 0.6, "of a GPU", "room for a lost zone, as everywhere"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Kind:
    """Of rooms."""

    name: str
    share: float
    """Of all rooms."""
    paid_per_s: float
    events_per_s: float
    """Taken, the paid ones among them."""


class Unknown(Exception):
    """No such assumption, or no such value. The text says what there is."""


class Assumptions:
    """All of them, some given anew. `assumed["core_hour"]`."""

    def __init__(self, given: Iterable[str] = ()) -> None:
        """`given` are KEY=VALUE. Raises Unknown."""
        self.given = list(given)
        self.all = {one.key: one for one in ALL}
        for text in self.given:
            key, _, value = text.partition("=")
            if key not in self.all:
                raise Unknown(f"{key}: no such assumption. There are: {', '.join(sorted(self.all))}.")
            try:
                number = float(value)
            except ValueError:
                number = -1.0
            if not 0 <= number < float("inf"):
                raise Unknown(f"{text}: must be a number, not below zero. Write it like {key}={self.all[key].value:g}.")
            self.all[key] = Assumption(key, number, self.all[key].unit, "given")
        if self["quiet_share"] + self["normal_share"] > 1:
            raise Unknown("quiet_share and normal_share: together at most 1.")

    def __getitem__(self, key: str) -> float:
        return self.all[key].value

    @property
    def kinds(self) -> list[Kind]:
        """Of rooms: quiet, normal, busy."""
        quiet, normal = self["quiet_share"], self["normal_share"]
        shares = {"quiet": quiet, "normal": normal, "busy": max(1 - quiet - normal, 0.0)}
        return [Kind(name, share, *self.rates(self[f"{name}_comments"])) for name, share in shares.items()]

    def rates(self, comments: float) -> tuple[float, float]:
        """Of a room with so many comments a second: paid events, and all events that are taken."""
        paid = comments * self["paid_per_comment"]
        others = comments * (self["events_per_comment"] - 1) - paid
        most = self["room_per_s"] or float("inf")
        return paid, paid + min(comments, most) + min(others, most)

    @property
    def events_per_s(self) -> float:
        """Taken of a room, in the mean."""
        return sum(kind.share * kind.events_per_s for kind in self.kinds)

    @property
    def shed_per_s(self) -> float:
        """Events of a room that the gateway does not take, in the mean."""
        offered = sum(kind.share * self[f"{kind.name}_comments"] for kind in self.kinds) * self["events_per_comment"]
        return offered - self.events_per_s

    @property
    def lines(self) -> list[Assumption]:
        """In their order."""
        return list(self.all.values())
