"""A minute, event by event: how long a paid event waits for the machines.

In ordinary times, when a zone fails, and when a celebrity is on air.

One cell is simulated, the others are like it. What a paid event waits for her mouth is not counted: she can thank one
viewer after the other only, on whatever machine. What is counted is everything from its arrival at the gateway to the
first voice of its thanks, less the time in which she speaks other thanks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.capacity.assumptions import Assumptions
from loadtests.capacity.demand import Demand
from loadtests.capacity.queues import Floats, Ints, departures, poisson
from services.audience.floor import START_MS
from services.gateway.shedding import BURST_S

Bools = NDArray[np.bool_]

GIVEN_UP_S = START_MS / 1000
"""A turn that is not heard so long after it was opened is given up and said again."""
CLAUSE_S = 1.5
"""Sound that a first clause has, all of which is made before its first piece can be heard."""
EACH = ("gateway", "audience")
"""They have work with every event. What the others have with the news of it counts as spread evenly."""
ORDINARY_S = 1.0
"""loadtests/load/objectives.yaml: 95 of 100 messages have a voice within a second."""
FAILS_AT_S = 20.0


def objective_s(assumed: Assumptions) -> float:
    """No paid event may wait longer for the machines, not even while a zone fails.

    The sum of what the code waits by itself then: a lost member's session, its group's new meeting, a turn that is
    given up because nobody heard it, and an ordinary answer.
    """
    return assumed["session_s"] + assumed["rejoin_s"] + GIVEN_UP_S + ORDINARY_S


@dataclass(frozen=True, slots=True)
class Scene:
    """What happens."""

    rooms: int
    """In the cell."""
    servers: Mapping[str, int]
    """Part → replicas in the cell; of Triton, its cores."""
    seconds: float = 60.0
    zone_fails: bool = False
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

    def through(self, part: str, arrivals: Floats, service: Floats, rooms: Ints, *, sticky: bool = True) -> Floats:
        """When each job has left a part. A room's jobs go to one server, or with `sticky` off to any.

        What a room needs all the time, whether anything happens or not, slows the servers down.
        """
        servers = self._scene.servers[part]
        line = self._demand.parts[part].line
        always = line.start + line.room * self._scene.rooms / servers * self._assumed["renderers"]
        if part not in EACH:
            always += line.event * self._assumed.events_per_s * self._scene.rooms / servers
        slowed = service / max(1 - always, 0.05)
        self.work_s[part] = float(service.sum()) + servers * always * self._scene.seconds
        server = self.server(part, rooms) if sticky else self._chance.integers(0, servers, len(rooms))
        if self._scene.zone_fails:
            arrivals, server = self._after_failure(part, arrivals, slowed, server, sticky=sticky)
        return departures(arrivals, slowed, server)

    def server(self, part: str, rooms: Ints) -> Ints:
        """Whose a room is: the same multiplicative hash for everybody, as partitions are."""
        spread: Ints = (rooms * 2654435761 + 97) % 2**32
        return spread * self._scene.servers[part] // 2**32

    def has(self, part: str) -> bool:
        """Whether there is such a part."""
        return part in self._scene.servers

    def lost(self, part: str, rooms: Ints) -> Bools:
        """Whether a room's server was in the zone that fails: the first servers are."""
        return self.server(part, rooms) < self._lost(part)

    def _lost(self, part: str) -> int:
        """How many servers a zone has, but never all."""
        servers = self._scene.servers[part]
        return min(int(np.ceil(servers / self._assumed["zones"])), servers - 1)

    def _after_failure(
        self, part: str, arrivals: Floats, service: Floats, server: Ints, *, sticky: bool
    ) -> tuple[Floats, Ints]:
        """What was a lost server's begins anew elsewhere, once that is noticed."""
        servers, lost = self._scene.servers[part], self._lost(part)
        noticed = FAILS_AT_S + (self._assumed["session_s"] if sticky else 1.0)  # a probe that fails, a call tried again
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
    chosen = queues.through("audience", taken + hop, np.full(len(rooms), cost["audience"].event), rooms)
    begins, turn_rooms, turn_of = _turns(chosen[paid], rooms[paid], assumed["turn_s"])
    # Beside thanks she answers and fills silences: the same work, as turns without a paid event.
    others, other_rooms = poisson(chance, _other_turns(comments, assumed), scene.seconds)
    every_begin, every_room = np.concatenate([begins, others]), np.concatenate([turn_rooms, other_rooms])
    heard = _spoken(queues, demand, assumed, every_begin + hop, every_room)[: len(begins)]
    # What nobody heard for so long is said again, which takes as long as it ordinarily does.
    ordinary = float(np.median(heard - begins)) if len(begins) else 0.0
    heard += (heard - begins > GIVEN_UP_S) * ordinary
    if scene.zone_fails:
        # Thanks that were cut off in the middle go on from a stage of another zone.
        cut = queues.lost("stage", turn_rooms) & (heard <= FAILS_AT_S) & (begins + assumed["turn_s"] > FAILS_AT_S)
        heard += cut * (assumed["session_s"] + assumed["rejoin_s"])
    waits = (heard - begins)[turn_of] + (chosen[paid] - arrivals[paid])
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
    return queues.through("stage", voiced + hop, cost["stage"] * seconds, whose)[:turns]
