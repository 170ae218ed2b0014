"""A day in steps: rooms come and go, replicas and nodes follow with their delays, and a zone fails at the busiest time.

Everything is a flow here: what cannot be worked off waits, and how long it waits is what waits over what works. Single
events are `window`'s business.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.demand import Demand
from loadtests.capacity.queues import Floats
from loadtests.capacity.sizing import TRITON_CORES, Capacity, room_gpus

DAY_S = 86_400
HOURS = (
    0.45, 0.30, 0.20, 0.15, 0.12, 0.12, 0.15, 0.20, 0.30, 0.40, 0.48, 0.52,
    0.60, 0.58, 0.52, 0.50, 0.52, 0.58, 0.70, 0.88, 1.00, 1.00, 0.90, 0.65,
)  # fmt: skip
"""Rooms on air by hour, the busiest being 1: an evening peak, few before dawn. Assumed."""
ROOM_S = 3 * 3600.0
"""How long a room is on air, in the mean."""
FAILS_AT_S = 20.5 * 3600
SETTLED_S = 300.0
"""Nothing is taken away that was needed within so long: the HPA's default."""
STAY = ("redis", "kafka", "stage", "ray head", "kafka controller")
"""They are as many at every hour. A lost zone's stages are `window`'s business."""


@dataclass(frozen=True, slots=True)
class Day:
    """What happened."""

    rooms: Floats
    """On air, at each step."""
    nodes: Floats
    busiest: Floats
    """Use of the part that is worst off, as a share of what is there: above 1 work waits."""
    late_s: Floats
    """How long work waits there."""
    room_hours: float
    cost: float
    """USD, of the whole day."""

    @property
    def room_hour(self) -> float:
        """USD for an hour of a room."""
        return self.cost / self.room_hours


class _Stock:
    """Things that are there, and things that were ordered and take their time to come."""

    def __init__(self, ready: Floats) -> None:
        self.ready = ready
        self._coming: list[tuple[int, Floats]] = []

    def all(self) -> Floats:
        return self.ready + sum((count for _, count in self._coming), np.zeros_like(self.ready))

    def order(self, at: int, count: Floats) -> None:
        self._coming.append((at, count))

    def arrive(self, now: int) -> None:
        self.ready = self.ready + sum((n for at, n in self._coming if at <= now), np.zeros_like(self.ready))
        self._coming = [(at, count) for at, count in self._coming if at > now]

    def lose(self, share: float) -> None:
        """Of what is there and of what would have come."""
        self.ready = np.ceil(self.ready * (1 - share))
        self._coming = [(at, np.ceil(count * (1 - share))) for at, count in self._coming]

    def keep(self, most: Floats) -> None:
        """Gives back what is above, unless something is still awaited."""
        if not self._coming:
            self.ready = np.minimum(self.ready, most)


def day(capacity: Capacity, demand: Demand, assumed: Assumptions, seed: int, *, zone_fails: bool = True) -> Day:
    """A day with as many rooms at its busiest as the capacity was planned for."""
    step = assumed["scale_every_s"]
    rooms = on_air(capacity.rooms, step, np.random.default_rng(seed))
    pods = [pod for pod in capacity.pods if pod.name not in STAY]
    request = np.array([pod.cores for pod in pods] + [0.0])
    memory = np.array([pod.memory_gb for pod in pods] + [0.0])
    able = np.array([float(TRITON_CORES if pod.name == "triton" else 1) for pod in pods] + [1.0])
    able -= [*(demand.parts[pod.name].line.start for pod in pods), 0.0]
    per_room = np.array([demand.parts[pod.name].room_cores(assumed) for pod in pods] + [room_gpus(assumed)])
    planned = np.array([pod.replicas * capacity.releases for pod in pods] + [float(capacity.gpus)])
    if not capacity.gpus:
        per_room[-1] = 0.0
    least = np.full(len(pods), assumed["zones"] * capacity.releases)
    least = np.minimum(np.append(least, assumed["zones"] * bool(capacity.gpus)), planned)
    node = assumed["node_cores"] * assumed["node_usable"], assumed["node_memory_gb"] * assumed["node_usable"]

    def nodes_for(replicas: Floats) -> float:
        return float(ceil(max((replicas * request).sum() / node[0], (replicas * memory).sum() / node[1])))

    def wanted(on: float) -> Floats:
        replicas: Floats = np.maximum(np.ceil(planned * on / capacity.rooms), least)
        return replicas

    replicas, nodes = _Stock(wanted(rooms[0])), _Stock(np.array([nodes_for(wanted(rooms[0]))]))
    soon, later = (max(ceil(assumed[name] / step), 1) for name in ("pod_start_s", "node_start_s"))
    gpus_later = max(ceil(assumed["gpu_node_start_s"] / step), 1)
    fixed = _staying_nodes(capacity, node)
    recent: list[Floats] = []
    waiting = np.zeros(len(request))
    node_steps, gpu_steps = 0.0, 0.0
    found = {name: np.zeros(len(rooms)) for name in ("nodes", "busiest", "late")}
    for now, on in enumerate(rooms):
        replicas.arrive(now)
        nodes.arrive(now)
        if zone_fails and now == int(FAILS_AT_S / step):
            replicas.lose(1 / assumed["zones"])
            nodes.lose(1 / assumed["zones"])
        want = wanted(on)
        recent = [*recent[-int(SETTLED_S / step) :], want]
        lately = np.maximum.reduce(recent)
        more = np.maximum(want - replicas.all(), 0)
        if more.any():
            missing = nodes_for(replicas.all() + more) - nodes.all().sum()
            if missing > 0:
                nodes.order(now + later, np.array([missing]))
            delayed = more.copy()
            delayed[-1] = 0
            replicas.order(now + soon + (later if missing > 0 else 0), delayed)
            replicas.order(now + gpus_later, more - delayed)
        replicas.keep(lately)
        nodes.keep(np.array([nodes_for(lately)]))
        capable = np.maximum(replicas.ready * able, 1e-9)
        waiting = np.maximum(waiting + (on * per_room - capable) * step, 0) * (per_room > 0)
        found["nodes"][now] = nodes.ready.sum() + fixed
        found["busiest"][now] = (on * per_room / capable)[per_room > 0].max()
        found["late"][now] = (waiting / capable)[per_room > 0].max()
        node_steps += found["nodes"][now]
        gpu_steps += float(replicas.ready[-1])
    hours = step / 3600
    room_hours = float(rooms.sum()) * hours
    cost = node_steps * hours * assumed["node_cores"] * assumed["core_hour"] + gpu_steps * hours * assumed["gpu_hour"]
    cost += (capacity.cost["disks"] + capacity.cost["traffic"]) / capacity.rooms * room_hours
    return Day(rooms, found["nodes"], found["busiest"], found["late"], room_hours, cost)


def on_air(most: int, step: float, chance: np.random.Generator) -> Floats:
    """Rooms at each step: they come so that the hour has about as many as it should, and each stays a random while."""
    times = np.arange(0, DAY_S, step)
    target = most * np.interp(times / 3600, np.arange(25), np.append(HOURS, HOURS[0]))
    coming = np.maximum(np.append(np.diff(target), 0) + target * step / ROOM_S, 0)
    found = np.empty(len(times))
    now = round(float(target[0]))
    for at in range(len(times)):
        found[at] = now
        now += int(chance.poisson(coming[at])) - int(chance.binomial(now, min(step / ROOM_S, 1)))
        now = min(now, most)
    return found


def _staying_nodes(capacity: Capacity, node: tuple[float, float]) -> float:
    stay = [pod for pod in capacity.pods if pod.name in STAY]
    cores = sum(pod.replicas * pod.cores for pod in stay) / node[0]
    memory = sum(pod.replicas * pod.memory_gb for pod in stay) / node[1]
    return float(ceil(capacity.releases * max(cores, memory)))
