"""How many of everything a number of rooms needs, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.demand import RAY, REPLICA, SERVICES, Demand, Part
from services.core.topics import Layout

BROKER_CORES, TRITON_CORES, REDIS_COPIES = 4, 4, 2
BROKER_GB, LEAST_CORES = 6.0, 0.1
MEMBERS = Layout().partitions
"""Of a consumer group, at most: the chart declares so many partitions of each topic."""
GROUPS = ("audience", "chat", "speech", "motion")
ANY = ("gateway", RAY)
"""Any of them takes any room's work."""
ALONE = ("stage", "redis")
"""A release has one of each; Redis has a copy in another zone, which does no work."""
LARGEST = 10_000
"""Rooms of a release that are thought of."""
SAMPLES = 10_000
"""Of a process' rooms."""


@dataclass(frozen=True, slots=True)
class Sized:
    """Pods of one kind, in one release."""

    name: str
    replicas: int
    cores: float
    """That one requests."""
    memory_gb: float
    """That one needs."""
    demand: float
    """Cores that all of them together use, when all rooms are on air."""


LEADERS = (Sized("ray head", 1, 1.0, 4.3, 0.0), Sized("kafka controller", 3, 0.25, 1.1, 0.0))
"""As the chart's values have them. What they use is part of what was measured of Ray and of Kafka's broker."""


@dataclass(frozen=True, slots=True)
class Release:
    """The most that one release of the chart takes."""

    rooms: int
    bound: str
    """The part that takes no more."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """A plan. What is counted in a release is there as often as there are releases."""

    rooms: int
    release: Release
    releases: int
    """Of the chart, each with a Kafka and a Redis of its own, as alike as can be."""
    pods: Sequence[Sized]
    """In a release."""
    nodes: int
    """In all releases, which share them."""
    gpus: int
    cores_used: float
    """Of all releases."""
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

    @property
    def largest(self) -> int:
        """Rooms of the fullest release."""
        return ceil(self.rooms / self.releases)

    def pod(self, name: str) -> Sized:
        """Raises StopIteration for an unknown part."""
        return next(pod for pod in self.pods if pod.name == name)


def usable(assumed: Assumptions) -> float:
    """Of a core, so that the others can take over a lost zone."""
    zones = assumed["zones"]
    return assumed["busy_core"] * (zones - 1) / zones if zones > 1 else assumed["busy_core"]


def plan(rooms: int, demand: Demand, assumed: Assumptions, *, gpu: bool = False) -> Capacity:
    """For so many rooms on air at once. With `gpu` the models are large ones on GPUs instead of Lydia's own."""
    most = release(demand, assumed)
    releases = ceil(rooms / most.rooms)
    pods = _pods(ceil(rooms / releases), demand, assumed, gpu=gpu)
    gpus = max(ceil(rooms * room_gpus(assumed) / assumed["gpu_busy"]), int(assumed["zones"])) if gpu else 0
    nodes = _nodes(pods, releases, assumed)
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
        release=most,
        releases=releases,
        pods=pods,
        nodes=nodes,
        gpus=gpus,
        cores_used=releases * sum(pod.demand for pod in pods),
        stream_mb_per_s=stream,
        records_per_s=rooms * sum(demand.records_per_s(assumed).values()),
        cost=cost,
    )


def release(demand: Demand, assumed: Assumptions) -> Release:
    """The most rooms that a release takes: while no part of which it has one is too busy, and no group too large."""
    low, high = 1, LARGEST
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if not _bound(middle, demand, assumed) else (low, middle - 1)
    return Release(low, _bound(low + 1, demand, assumed))


def _bound(rooms: int, demand: Demand, assumed: Assumptions) -> str:
    """The first part that so many rooms are too much for; empty where there is none."""
    crowded = [name for name in ALONE if crowded_core(demand.parts[name], rooms, assumed) > assumed["busy_core"]]
    large = [name for name in GROUPS if _service(demand.parts[name], rooms, assumed).replicas > MEMBERS]
    return next(iter(crowded + large), "")


def crowded_core(part: Part, rooms: int, assumed: Assumptions) -> float:
    """Of a core: what one process with all the rooms needs, hardly ever more. Many of them may be large by chance."""
    kinds = assumed.kinds
    there = np.random.default_rng(2112).multinomial(rooms, [kind.share for kind in kinds], SAMPLES)
    cost = np.array([part.room_cores(assumed, kind.events_per_s) for kind in kinds])
    return float(np.quantile(part.line.start + there @ cost, assumed["evenly"]))


def _pods(rooms: int, demand: Demand, assumed: Assumptions, *, gpu: bool) -> list[Sized]:
    pods = [_service(demand.parts[name], rooms, assumed) for name in SERVICES if name not in ALONE]
    pods += [_alone(demand.parts["stage"], rooms, assumed, 1), _worker(demand, rooms, assumed), *LEADERS]
    if not gpu and "triton" in demand.parts:
        pods.append(_pool(demand.parts["triton"], rooms, assumed, TRITON_CORES))
    pods += [_alone(demand.parts["redis"], rooms, assumed, REDIS_COPIES), _kafka(demand, rooms, assumed)]
    return pods


def _alone(part: Part, rooms: int, assumed: Assumptions, copies: int) -> Sized:
    """One process, with a copy or without."""
    used = part.line.start + rooms * part.room_cores(assumed)
    memory = (part.resident_mb + part.room_mb * rooms) / 1000
    return Sized(part.name, copies, max(crowded_core(part, rooms, assumed), LEAST_CORES), memory, used)


def _service(part: Part, rooms: int, assumed: Assumptions) -> Sized:
    """One event loop on one core for each replica."""
    needed = rooms * part.room_cores(assumed)
    for_rooms = max(usable(assumed) - part.line.start, 0.05)
    replicas = max(ceil(needed * (1 + assumed["headroom"]) / for_rooms), 1)
    if part.name not in ANY:
        replicas = _even(part, rooms, replicas, assumed)
    replicas = _in_zones(replicas, assumed)
    used = needed / replicas + part.line.start
    memory = (part.resident_mb + part.room_mb * rooms / replicas) / 1000
    return Sized(part.name, replicas, max(min(used / usable(assumed), 1.0), LEAST_CORES), memory, used * replicas)


def _worker(demand: Demand, rooms: int, assumed: Assumptions) -> Sized:
    """A node of Ray: a replica, and what leads to it. Every node leads to every replica."""
    parts = [demand.parts[name] for name in (REPLICA, RAY)]
    nodes = max(_service(part, rooms, assumed).replicas for part in parts)
    used = sum(rooms * part.room_cores(assumed) + nodes * part.line.start for part in parts)
    memory = sum(part.resident_mb + part.room_mb * rooms / nodes for part in parts) / 1000
    return Sized(REPLICA, nodes, max(used / nodes / usable(assumed), LEAST_CORES), memory, used)


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


def _kafka(demand: Demand, rooms: int, assumed: Assumptions) -> Sized:
    """Brokers: for the processor time, for what is written, and one in each zone."""
    part, copies = demand.parts["kafka"], assumed["kafka_copies"]
    needed = rooms * part.room_cores(assumed) * copies
    written = rooms * demand.stream_mb_per_s(assumed) * copies
    least = max(needed / (usable(assumed) * BROKER_CORES), written / assumed["broker_mb_per_s"])
    brokers = _in_zones(max(ceil(least), 1), assumed)
    used = needed / brokers + part.line.start
    request = max(min(used / usable(assumed), BROKER_CORES), LEAST_CORES)
    return Sized("kafka", brokers, request, BROKER_GB, used * brokers)


def room_gpus(assumed: Assumptions) -> float:
    """Of a GPU, that one room keeps busy."""
    words = assumed["tokens_per_voice_s"] / assumed["gpu_tokens_per_s"]
    return assumed["speaking_share"] * (words + 1 / assumed["gpu_voice_s"] + 1 / assumed["gpu_motion_rooms"])


def _nodes(pods: Sequence[Sized], releases: int, assumed: Assumptions) -> int:
    """As many in every zone. Releases share them."""
    usable_share = assumed["node_usable"] / releases
    cores = sum(pod.replicas * pod.cores for pod in pods) / (assumed["node_cores"] * usable_share)
    memory = sum(pod.replicas * pod.memory_gb for pod in pods) / (assumed["node_memory_gb"] * usable_share)
    zones = int(assumed["zones"])
    return max(ceil(max(cores, memory) / zones), 1) * zones
