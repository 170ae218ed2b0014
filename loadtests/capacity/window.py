"""A minute of one release, event by event: how long a paid event waits for the machines.

In ordinary times, when a zone fails, and when a celebrity is on air.

What a paid event waits for her mouth is not counted: she can thank only one viewer after the other, on any machine.
What is counted is everything from its arrival at the gateway to the first voice of its thanks, less the time in which
she speaks other thanks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.demand import RAY, REPLICA, Demand
from loadtests.capacity.queues import Floats, Ints, departures, poisson
from services.audience.floor import SILENT_MS, START_MS
from services.audience.paid import RETRY_MS
from services.gateway.shedding import BURST_S

Bools = NDArray[np.bool_]

GIVEN_UP_S = START_MS / 1000
"""A turn that is not heard so long after it was opened is given up and said again."""
CUT_S = (SILENT_MS - START_MS) / 1000
"""One that was cut off in the middle is waited for so much longer."""
AGAIN_S = np.cumsum([0.0, *(GIVEN_UP_S + pause / 1000 for pause in RETRY_MS), *[GIVEN_UP_S + RETRY_MS[-1] / 1000] * 20])
"""After the first attempt to say it: when the others begin, while none is heard."""
CLAUSE_S = 1.5
"""Sound that a first clause has, all of which is made before its first piece can be heard."""
EACH = ("gateway", "audience", RAY, REPLICA)
"""They have work with every event. What the others have with the news of it counts as spread evenly."""
ORDINARY_S = 1.0
"""loadtests/load/objectives.yaml: 95 of 100 messages have a voice within a second."""
FAILS_AT_S = 20.0


def stage_away_s(assumed: Assumptions, nodes_before: int = 0) -> float:
    """How long a room has no stage when the zone of its stage fails: until its node counts as lost, until its pod is
    given up, until another has started and has its partitions. So many nodes of its zone are given up before its own.
    """
    noticed = assumed["node_lost_s"] + assumed["evict_every_s"] * nodes_before
    return noticed + assumed["tolerated_s"] + assumed["pod_start_s"] + assumed["rejoin_s"]


def again_s(away: Floats) -> Floats:
    """When thanks are heard, after their first attempt, if nothing can be heard for so long. Seconds, of an array."""
    heard: Floats = np.maximum(AGAIN_S[np.searchsorted(AGAIN_S + GIVEN_UP_S, away)], away)
    return heard


def objective_s(assumed: Assumptions, stage_away: float = 0.0) -> float:
    """No paid event may wait longer for the machines, not even while a zone fails.

    The sum of what the code waits by itself then: until others have a lost replica's rooms, until thanks that nobody
    heard are tried again at a time when they can be heard, and an ordinary answer. With `stage_away` the zone is that
    of the stage.
    """
    group = assumed["session_s"] + assumed["rejoin_s"]
    before = max(group, assumed["replica_s"])
    if stage_away:
        # Either it was being said and is cut off, or it waits behind a turn that is silent, too.
        before = max(CUT_S, before + GIVEN_UP_S)
    return before + float(again_s(np.array([max(group, stage_away)]))[0]) + ORDINARY_S


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens."""

    rooms: int
    """In the release."""
    servers: Mapping[str, int]
    """Part → replicas in the release; of Triton, its cores."""
    seconds: float = 60.0
    zone_fails: bool = False
    stage_away_s: float = 0.0
    """It is the zone of the stage, which is away for so long."""
    celebrity_per_s: float = 0.0
    """Comments a second in one further room."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of it. Seconds."""

    waits: Floats
    """Of each paid event in the ordinary rooms."""
    beside: Floats
    """Of those whose rooms share the celebrity's replica."""
    celebrity: Floats
    """Of those in the celebrity's room."""
    events: int
    shed: int
    used: dict[str, float]
    """Part → share of the processor time it had that it used."""
    work_s: dict[str, float]
    """Part → processor seconds."""

    def late(self, limit: float) -> int:
        """Paid events that waited longer."""
        return int((self.waits > limit).sum() + (self.beside > limit).sum() + (self.celebrity > limit).sum())


class _Queues:
    """The parts' servers, and how busy they were."""

    def __init__(self, scene: Scene, demand: Demand, assumed: Assumptions, chance: np.random.Generator) -> None:
        self._scene, self._demand, self._assumed, self._chance = scene, demand, assumed, chance
        self.work_s: dict[str, float] = {}
        self.events_per_s = 0.0
        """Taken, of all rooms."""

    def through(self, part: str, arrivals: Floats, service: Floats, rooms: Ints, *, sticky: bool = True) -> Floats:
        """When each job has left a part. A room's jobs go to one server, or with `sticky` off to any.

        What a room needs all the time, whether anything happens or not, slows the servers down.
        """
        servers = self._scene.servers[part]
        line = self._demand.parts[part].line
        always = line.start + line.room * self._scene.rooms / servers * self._assumed["renderers"]
        if part not in EACH:
            always += line.event * self.events_per_s / servers
        slowed = service / max(1 - always, 0.05)
        self.work_s[part] = float(service.sum()) + servers * always * self._scene.seconds
        server = self.server(part, rooms) if sticky else self._chance.integers(0, servers, len(rooms))
        if part == "stage" and self._scene.stage_away_s:
            back = FAILS_AT_S + self._scene.stage_away_s
            unfinished = departures(arrivals, slowed, server) > FAILS_AT_S
            # What was given up meanwhile is dropped.
            slowed = np.where(unfinished & (arrivals < back - GIVEN_UP_S), 0.0, slowed)
            arrivals = np.where(unfinished, np.maximum(arrivals, back), arrivals)
        elif self._scene.zone_fails:
            arrivals, server = self._after_failure(part, arrivals, slowed, server, sticky=sticky)
        return departures(arrivals, slowed, server)

    def server(self, part: str, rooms: Ints) -> Ints:
        """Whose a room is: the same multiplicative hash for everybody, as partitions are."""
        spread: Ints = (rooms * 2654435761 + 97) % 2**32
        return spread * self._scene.servers[part] // 2**32

    def has(self, part: str) -> bool:
        """Whether there is such a part."""
        return part in self._scene.servers

    def _lost(self, part: str) -> int:
        """How many servers a zone has, but never all: the first."""
        servers = self._scene.servers[part]
        return min(int(np.ceil(servers / self._assumed["zones"])), servers - 1)

    def _after_failure(
        self, part: str, arrivals: Floats, service: Floats, server: Ints, *, sticky: bool
    ) -> tuple[Floats, Ints]:
        """What was a lost server's begins anew elsewhere, once that is noticed."""
        servers, lost = self._scene.servers[part], self._lost(part)
        if part == REPLICA:
            noticed = shared = FAILS_AT_S + self._assumed["replica_s"]
        else:
            noticed = FAILS_AT_S + (self._assumed["session_s"] if sticky else 1.0)  # a call that is tried again
            shared = noticed + (self._assumed["rejoin_s"] if sticky else 0.0)
        unfinished = departures(arrivals, service, server) > FAILS_AT_S
        moved = (server < lost) & unfinished
        left = np.where(moved, lost + (server * 7919 + np.arange(len(server))) % max(servers - lost, 1), server)
        # While a group shares its partitions anew, nobody in it works.
        waits = moved | (sticky & (arrivals > noticed) & (arrivals < shared))
        return np.where(waits, np.maximum(arrivals, shared), arrivals), left


def simulate(scene: Scene, demand: Demand, assumed: Assumptions, seed: int) -> Outcome:
    """Runs the scene."""
    chance = np.random.default_rng(seed)
    queues = _Queues(scene, demand, assumed, chance)
    kinds = assumed.kinds
    which = chance.choice(len(kinds), scene.rooms, p=[kind.share for kind in kinds])
    comments = np.array([assumed[f"{kind.name}_comments"] for kind in kinds])[which]
    star = scene.rooms  # the celebrity's room comes last
    if scene.celebrity_per_s:
        comments = np.append(comments, scene.celebrity_per_s)
    arrivals, rooms = poisson(chance, comments * assumed["events_per_comment"], scene.seconds)
    paid = chance.random(len(rooms)) < assumed["paid_per_comment"] / assumed["events_per_comment"]
    events = len(rooms)
    messages = ~paid & (chance.random(len(rooms)) < 1 / (assumed["events_per_comment"] - assumed["paid_per_comment"]))
    kept = _taken(arrivals, np.where(paid, -1, 2 * rooms + messages), assumed["room_per_s"])

    cost = {name: part.line for name, part in demand.parts.items()}
    hop = assumed["hop_s"]
    # Any gateway takes any push, and what it sheds is work, too; from there on a room has one reader.
    read = queues.through(
        "gateway", arrivals, np.where(kept, cost["gateway"].event, assumed["shed_s"]), rooms, sticky=False
    )
    arrivals, rooms, paid, taken = arrivals[kept], rooms[kept], paid[kept], read[kept]
    queues.events_per_s = len(rooms) / scene.seconds
    chosen = queues.through("audience", taken + hop, np.full(len(rooms), cost["audience"].event), rooms)
    if queues.has(REPLICA):
        led = queues.through(RAY, chosen, np.full(len(rooms), cost[RAY].event), rooms, sticky=False)
        chosen = queues.through(REPLICA, led, np.full(len(rooms), cost[REPLICA].event), rooms)
    begins, turn_rooms, turn_of = _turns(chosen[paid], rooms[paid], assumed["turn_s"])
    # Beside thanks she answers and fills silences: the same work, as turns without a paid event.
    others, other_rooms = poisson(chance, _other_turns(comments, assumed), scene.seconds)
    every_begin, every_room = np.concatenate([begins, others]), np.concatenate([turn_rooms, other_rooms])
    heard = _spoken(queues, demand, assumed, every_begin + hop, every_room)[: len(begins)]
    # What nobody heard for so long is said again, which takes as long as it ordinarily does.
    unheard = heard - begins > GIVEN_UP_S
    ordinary = 0.0 if unheard.all() else float(np.median((heard - begins)[~unheard]))
    cut = bool(scene.stage_away_s) & (heard <= FAILS_AT_S) & (begins + assumed["turn_s"] > FAILS_AT_S)
    heard = np.where(unheard, begins + again_s(heard - begins) + ordinary, heard)
    heard += cut * (CUT_S + again_s(np.array(scene.stage_away_s - CUT_S)) + ordinary)
    # Behind a turn that is not heard she says nothing: then that is a wait for machines, too.
    since = np.where(unheard[turn_of], chosen[paid], begins[turn_of])
    waits = heard[turn_of] - since + (chosen[paid] - arrivals[paid])
    whose = rooms[paid]
    is_star = whose == star
    beside = np.zeros(len(whose), dtype=bool)
    if scene.celebrity_per_s:
        beside = (queues.server("audience", whose) == queues.server("audience", np.array([star]))[0]) & ~is_star
    used = {name: work / (scene.servers[name] * scene.seconds) for name, work in queues.work_s.items()}
    return Outcome(
        waits[~is_star & ~beside], waits[beside], waits[is_star], events, int((~kept).sum()), used, queues.work_s
    )


def _taken(arrivals: Floats, allowances: Ints, per_s: float) -> Bools:
    """Which events the gateway takes: `per_s` of each allowance (0: all), after a calm a burst of them, -1 always."""
    kept = np.ones(len(arrivals), dtype=bool)
    if not per_s:
        return kept
    order = np.lexsort((arrivals, allowances))
    whose, count = np.unique(allowances[order], return_counts=True)
    for one, begin, end in zip(whose, np.cumsum(count) - count, np.cumsum(count), strict=True):
        if one < 0 or end - begin <= per_s * BURST_S:
            continue
        left, before = per_s * BURST_S, 0.0
        for place in order[begin:end]:
            left = min(left + (arrivals[place] - before) * per_s, per_s * BURST_S)
            before = arrivals[place]
            kept[place] = left >= 1
            left -= kept[place]
    return kept


def _other_turns(comments: Floats, assumed: Assumptions) -> Floats:
    """Turns a second of each room that thank nobody, so that she speaks as large a part of the time as assumed."""
    gifts = comments * assumed["paid_per_comment"]
    thanking = gifts / (1 + gifts * assumed["turn_s"])
    return np.maximum(assumed["speaking_share"] / assumed["turn_s"] - thanking, 0)


def _turns(ready: Floats, rooms: Ints, turn_s: float) -> tuple[Floats, Ints, Ints]:
    """Thanks: the first begins at once, later ones when she has ended those before, all that wait together.

    Returns when each turn begins, whose it is, and of each event its turn.
    """
    begins: list[float] = []
    whose: list[int] = []
    turn_of = np.empty(len(ready), dtype=np.int64)
    ends = 0.0
    for place in np.lexsort((ready, rooms)).tolist():
        room, at = int(rooms[place]), float(ready[place])
        if not begins or whose[-1] != room:
            ends = at
        if not begins or whose[-1] != room or at > begins[-1]:
            begins.append(max(at, ends))
            whose.append(room)
            ends = begins[-1] + turn_s
        turn_of[place] = len(begins) - 1
    return np.array(begins), np.array(whose, dtype=np.int64), turn_of


def _spoken(queues: _Queues, demand: Demand, assumed: Assumptions, begins: Floats, rooms: Ints) -> Floats:
    """When the first voice of each turn is on the stage. The rest of a turn comes a second of sound at a time."""
    cost = {name: part.line.voice for name, part in demand.parts.items()}
    hop, turns = assumed["hop_s"], len(begins)
    worded = queues.through("chat", begins, np.full(turns, cost["chat"] * assumed["turn_s"]), rooms)
    later = max(int(assumed["turn_s"] - CLAUSE_S), 0)
    seconds = np.repeat([CLAUSE_S, *[1.0] * later], turns)
    pieces = np.concatenate([worded + hop, *[worded + hop + CLAUSE_S + number for number in range(later)]])
    whose = np.tile(rooms, later + 1)
    voiced = queues.through("speech", pieces, cost["speech"] * seconds, whose)
    if queues.has("triton"):
        voiced = queues.through("triton", voiced, cost["triton"] * seconds, whose, sticky=False)
    queues.through("motion", voiced + hop, cost["motion"] * seconds, whose)
    return queues.through("stage", voiced + hop, cost["stage"] * seconds, whose)[:turns] + demand.beyond_s
