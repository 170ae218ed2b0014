"""How many of everything a number of rooms needs, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.demand import SERVICES, Demand, Part
from services.core.topics import CARRIES

BROKER_CORES, TRITON_CORES, REDIS_COPIES = 4, 4, 2
BROKER_GB, LEAST_CORES = 6.0, 0.1
LARGEST_CELLS = 10_000
SAMPLES = 10_000
"""Of a replica's rooms."""


@dataclass(frozen=True, slots=True)
class Sized:
    """Pods of one kind, in one cell."""

    name: str
    replicas: int
    cores: float
    """That one requests."""
    memory_gb: float
    """That one needs."""
    demand: float
    """Cores that all of them together use, when all rooms are on air."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """A plan. What is counted in a cell is there as often as there are cells."""

    rooms: int
    cells: int
    """Independent copies of everything. One holds as many rooms as a consumer group can share out."""
    pods: Sequence[Sized]
    """In a cell."""
    partitions: int
    """Of each topic, in a cell."""
    nodes: int
    """In all cells."""
    gpus: int
    cores_used: float
    """Of all cells."""
    stream_mb_per_s: float
    records_per_s: float
    cost: dict[str, float]
    """USD an hour: nodes, GPUs, disks, traffic."""

    @property
    def cost_hour(self) -> float:
        """Of everything."""
        return sum(self.cost.values())

    @property
    def room_hour(self) -> float:
        """Cost of one room for an hour."""
        return self.cost_hour / self.rooms

    def replicas(self, name: str) -> int:
        """In all cells. Raises StopIteration for an unknown part."""
        return self.cells * next(pod.replicas for pod in self.pods if pod.name == name)


def usable(assumed: Assumptions) -> float:
    """Of a core, so that the others can take over a lost zone."""
    zones = assumed["zones"]
    return assumed["busy_core"] * (zones - 1) / zones if zones > 1 else assumed["busy_core"]


def plan(rooms: int, demand: Demand, assumed: Assumptions, *, gpu: bool = False) -> Capacity:
    """For so many rooms on air at once. With `gpu` the models are large ones on GPUs instead of Lydia's own."""
    cells = 1
    while cells < LARGEST_CELLS:
        pods = _cell(ceil(rooms / cells), demand, assumed, gpu=gpu)
        largest = max(pod.replicas for pod in pods if pod.name in SERVICES) / assumed["group_members"]
        watched = _watched("stage", demand, ceil(rooms / cells), assumed) / assumed["watched_most"]
        if max(largest, watched) <= 1:
            break
        cells = max(cells + 1, ceil(cells * max(largest, watched)))
    partitions = _partitions(pods)
    gpus = max(ceil(rooms * room_gpus(assumed) / assumed["gpu_busy"]), int(assumed["zones"])) if gpu else 0
    nodes = _nodes(pods, cells, assumed)
    stream = rooms * demand.stream_mb_per_s(assumed)
    written_gb = stream * 3600 / 1000
    cost = {
        "nodes": nodes * assumed["node_cores"] * assumed["core_hour"],
        "GPUs": gpus * assumed["gpu_hour"],
        # Voice and frames are kept for an hour.
        "disks": written_gb * assumed["kafka_copies"] * assumed["disk_gb_month"] / 730,
        "traffic": written_gb * assumed["egress_gb"],
    }
    return Capacity(
        rooms=rooms,
        cells=cells,
        pods=pods,
        partitions=partitions,
        nodes=nodes,
        gpus=gpus,
        cores_used=cells * sum(pod.demand for pod in pods),
        stream_mb_per_s=stream,
        records_per_s=rooms * sum(demand.records_per_s(assumed).values()),
        cost=cost,
    )


def _cell(rooms: int, demand: Demand, assumed: Assumptions, *, gpu: bool) -> list[Sized]:
    pods = [_service(demand.parts[name], rooms, assumed, _watched(name, demand, rooms, assumed)) for name in SERVICES]
    if not gpu and "triton" in demand.parts:
        pods.append(_pool(demand.parts["triton"], rooms, assumed, TRITON_CORES))
    redis = demand.parts["redis"]
    shards = max(ceil((redis.line.start + rooms * redis.room_cores(assumed)) / usable(assumed)), 1)
    memory = (redis.resident_mb + redis.room_mb * rooms / shards) / 1000
    pods.append(Sized("redis", shards * REDIS_COPIES, 1.0, memory, rooms * redis.room_cores(assumed)))
    pods.append(_kafka(demand, pods, rooms, assumed))
    return pods


def _watched(name: str, demand: Demand, rooms: int, assumed: Assumptions) -> float:
    """Of a core: every stage reads what is told of every room in its cell, to have it when somebody looks."""
    return rooms * demand.watched_per_s(assumed) * assumed["watched_s"] if name == "stage" else 0.0


def _service(part: Part, rooms: int, assumed: Assumptions, watched: float) -> Sized:
    """One event loop on one core for each replica. `watched` is what each of them does beside its own rooms' work."""
    needed = rooms * part.room_cores(assumed)
    for_rooms = max(usable(assumed) - part.line.start - watched, 0.05)
    replicas = max(ceil(needed * (1 + assumed["headroom"]) / for_rooms), 1)
    if part.name != "gateway":  # any gateway takes any push
        replicas = _even(part, rooms, replicas, assumed)
    replicas = _in_zones(replicas, assumed)
    used = needed / replicas + part.line.start + watched
    memory = (part.resident_mb + part.room_mb * rooms / replicas) / 1000
    return Sized(part.name, replicas, max(min(used / usable(assumed), 1.0), LEAST_CORES), memory, used * replicas)


def _in_zones(replicas: int, assumed: Assumptions) -> int:
    """As many in every zone: one that had more than its share would take more than its share along."""
    zones = int(assumed["zones"])
    return ceil(replicas / zones) * zones


def _even(part: Part, rooms: int, least: int, assumed: Assumptions) -> int:
    """So many replicas that large rooms, which are spread by chance, hardly ever overload one together.

    When one room alone overloads a replica, more replicas do not help: the number stays. So it does where all rooms
    cost about the same.
    """
    kinds = assumed.kinds
    cost = np.array([part.room_cores(assumed, kind.events_per_s) for kind in kinds])
    if part.line.start + cost.max() > assumed["busy_core"] or cost.max() < 2 * cost.min():
        return least

    def even(replicas: int) -> bool:
        chance = np.random.default_rng(2112)
        there = chance.poisson([rooms * kind.share / replicas for kind in kinds], (SAMPLES, len(kinds)))
        return bool(np.quantile(part.line.start + there @ cost, assumed["evenly"]) <= assumed["busy_core"])

    low, high = least, max(rooms, least)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if even(middle) else (middle + 1, high)
    return low


def _pool(part: Part, rooms: int, assumed: Assumptions, cores: int) -> Sized:
    """A server with several threads."""
    needed = rooms * part.room_cores(assumed)
    replicas = _in_zones(max(ceil(needed * (1 + assumed["headroom"]) / (usable(assumed) * cores)), 1), assumed)
    used = needed / replicas + part.line.start
    request = max(min(used / usable(assumed), cores), LEAST_CORES)
    return Sized(part.name, replicas, request, part.resident_mb / 1000, used * replicas)


def _partitions(pods: Sequence[Sized]) -> int:
    """Half as many again as the largest group has members, in dozens: a number that 2, 3, 4 and 6 divide."""
    largest = max(pod.replicas for pod in pods if pod.name in SERVICES)
    return max(ceil(1.5 * largest / 12), 1) * 12


def _kafka(demand: Demand, pods: Sequence[Sized], rooms: int, assumed: Assumptions) -> Sized:
    """Brokers: for the processor time, for what is written, for the partitions, and one in each zone."""
    part, copies = demand.parts["kafka"], assumed["kafka_copies"]
    needed = rooms * part.room_cores(assumed) * copies
    written = rooms * demand.stream_mb_per_s(assumed) * copies
    brokers = max(
        ceil(needed / (usable(assumed) * BROKER_CORES)),
        ceil(written / assumed["broker_mb_per_s"]),
        ceil(_partitions(pods) * len(CARRIES) * copies / assumed["partitions_per_broker"]),
    )
    brokers = _in_zones(brokers, assumed)
    used = needed / brokers + part.line.start
    request = max(min(used / usable(assumed), BROKER_CORES), LEAST_CORES)
    return Sized("kafka", brokers, request, BROKER_GB, used * brokers)


def room_gpus(assumed: Assumptions) -> float:
    """Of a GPU, that one room keeps busy."""
    words = assumed["tokens_per_voice_s"] / assumed["gpu_tokens_per_s"]
    return assumed["speaking_share"] * (words + 1 / assumed["gpu_voice_s"] + 1 / assumed["gpu_motion_rooms"])


def _nodes(pods: Sequence[Sized], cells: int, assumed: Assumptions) -> int:
    """As many in every zone. Cells share them."""
    usable_share = assumed["node_usable"] / cells
    cores = sum(pod.replicas * pod.cores for pod in pods) / (assumed["node_cores"] * usable_share)
    memory = sum(pod.replicas * pod.memory_gb for pod in pods) / (assumed["node_memory_gb"] * usable_share)
    zones = int(assumed["zones"])
    return max(ceil(max(cores, memory) / zones), 1) * zones
