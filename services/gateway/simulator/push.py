"""The simulated platform's pushes: batches, signatures, time-outs, the circuit breaker, the cap, and every fault."""

from __future__ import annotations

import asyncio
import heapq
import json
import logging
import random
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Iterable
from itertools import count

import httpx

from services.core.clock import Clock
from services.core.events import AudienceEvent
from services.core.ids import Ids
from services.gateway.douyin import signed_headers
from services.gateway.douyin_items import COMMENT, GIFT, LIKE
from services.gateway.simulator.options import Faults, Options
from services.gateway.simulator.pipe import PipeEmitter
from services.gateway.simulator.platform import Platform
from services.gateway.simulator.wire import Item, pipe_item, webhook_item

log = logging.getLogger(__name__)

ANSWER_WITHIN_S = 2.0
GIFT_ANSWER_WITHIN_S = 3.0
FAILURES_TO_BREAK = 10
PUSHES_PER_S = 100
PROBE_EVERY_S = 2.0
WAITING = 100_000
"""Items that wait for their batch; more are lost, and counted."""
JUNK: tuple[object, ...] = (None, 7, "text", [], {}, {"msg_id": 1}, {"msg_id": "x", "sec_openid": None, "content": {}})


class Breaker:
    """Opens after ten failures in a row, discards for a while, then lets one push try."""

    def __init__(self, clock: Clock, open_s: float) -> None:
        self._clock = clock
        self._open_s = open_s
        self._failures = 0
        self._open_until = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        """Whether data is being discarded."""
        return self._failures >= FAILURES_TO_BREAK

    def allows(self) -> bool:
        """Whether a push may go out now; its outcome must be told."""
        if not self.open:
            return True
        if self._probing or self._clock.monotonic() < self._open_until:
            return False
        self._probing = True
        return True

    def tell(self, ok: bool) -> None:
        """The outcome of a push."""
        self._probing = False
        self._failures = 0 if ok else self._failures + 1
        if self.open:
            self._open_until = self._clock.monotonic() + self._open_s


class Pusher:
    """Pushes what the audience does to the target. `faults` may be replaced at any time.

    `counts` says what became of items: offered, filtered, no_task, lost, lost_cap, lost_breaker, overflow, delivered,
    failed; and of pushes: pushes, refused. `refusals` says how often each reason was the target's.
    """

    def __init__(
        self, platform: Platform, clock: Clock, ids: Ids, http: httpx.AsyncClient, *, pipe: PipeEmitter | None = None
    ) -> None:
        options = platform.options
        self.faults: Faults = options.faults
        self.counts: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.online = False
        self.breaker = Breaker(clock, options.breaker_s)
        self._platform = platform
        self._options: Options = options
        self._clock = clock
        self._ids = ids
        self._http = http
        self._pipe = pipe
        self._chance = random.Random(options.seed + 1)
        self._waiting: list[tuple[float, int, str, Item]] = []
        self._order = count()
        self._pushed: deque[float] = deque()
        # The same seed makes the same show, but a later show has other messages.
        self._first_message_id = clock.now_ms() * 1_000_000

    async def run(self, audience: Iterable[tuple[float, AudienceEvent]]) -> None:
        """Lets the audience act and pushes, until cancelled. Begins when the target answers a HEAD request."""
        while True:
            self.online = await self._probe()
            if self.online:
                break
            await asyncio.sleep(PROBE_EVERY_S)
        log.info("%s answers: the audience begins", self._options.target)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._perform(audience), name="simulated audience")
            tasks.create_task(self._flush(tasks), name="simulated pushes")

    async def _probe(self) -> bool:
        try:
            answer = await self._http.head(self._options.target, timeout=ANSWER_WITHIN_S)
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return answer.status_code == 200

    async def _perform(self, audience: Iterable[tuple[float, AudienceEvent]]) -> None:
        start = self._clock.monotonic()
        for at_s, event in audience:
            await asyncio.sleep(max(start + at_s - self._clock.monotonic(), 0))
            self.offer(event, str(self._first_message_id + int(event.message_id)))

    def offer(self, event: AudienceEvent, message_id: str) -> str:
        """A viewer does something. What becomes of it depends on tasks, filter, route and faults, and is returned:

        waiting, piped, or why it is not pushed, in the words of `counts`.
        """
        faults, chance = self.faults, self._chance
        self.counts["offered"] += 1
        timestamp = self._clock.now_ms() // (1000 if faults.seconds else 1)
        outcome = "waiting"
        if self._pipe is not None and faults.route != "webhook":
            outcome = "piped" if self._pipe.emit(pipe_item(event, message_id, timestamp)) else "overflow"
            self.counts[outcome] += 1
            if faults.route == "pipe":
                return outcome
        message_type, item = webhook_item(event, message_id, timestamp)
        if faults.like_text and message_type == LIKE:
            item["like_num"] = str(item["like_num"])
        if not self._platform.pushes(message_type):
            outcome = "no_task"
        elif message_type == COMMENT and not self._passes(event.chat.text):
            outcome = "filtered"
        elif message_type in (COMMENT, LIKE) and chance.random() < faults.loss:
            outcome = "lost"
        else:
            self._wait(message_type, item)
            if chance.random() < faults.duplicates:
                self._wait(message_type, item)
            return outcome
        self.counts[outcome] += 1
        return outcome

    def _passes(self, text: str) -> bool:
        return self._options.unfiltered or any(keyword in text for keyword in self._options.keywords)

    def _wait(self, message_type: str, item: Item) -> None:
        if len(self._waiting) >= WAITING:
            self.counts["overflow"] += 1
            return
        due = self._clock.monotonic() + self._chance.uniform(0, self.faults.reorder_s)
        heapq.heappush(self._waiting, (due, next(self._order), message_type, item))

    async def _flush(self, tasks: asyncio.TaskGroup) -> None:
        while True:
            await asyncio.sleep(self._options.batch_every_s)
            due: defaultdict[str, list[Item]] = defaultdict(list)
            while self._waiting and self._waiting[0][0] <= self._clock.monotonic():
                _, _, message_type, item = heapq.heappop(self._waiting)
                due[message_type].append(item)
            for message_type, items in due.items():
                for start in range(0, len(items), self._options.batch):
                    batch = items[start : start + self._options.batch]
                    if not self._within_cap():
                        self.counts["lost_cap"] += len(batch)
                    elif not self.breaker.allows():
                        self.counts["lost_breaker"] += len(batch)
                    else:
                        tasks.create_task(self._push(message_type, batch), name=f"push {message_type}")

    def _within_cap(self) -> bool:
        now = self._clock.monotonic()
        while self._pushed and self._pushed[0] <= now - 1:
            self._pushed.popleft()
        if len(self._pushed) >= PUSHES_PER_S:
            return False
        self._pushed.append(now)
        return True

    async def _push(self, message_type: str, items: list[Item]) -> None:
        self.counts["pushes"] += 1
        ok = await self._post(message_type, items)
        self.breaker.tell(ok)
        self.counts["delivered" if ok else "failed"] += len(items)
        if not ok:
            self.counts["refused"] += 1
            self._platform.keep_failed(message_type, _json(items))

    async def _post(self, message_type: str, items: list[Item]) -> bool:
        """Whether the target answered 2XX in time."""
        faults, chance = self.faults, self._chance
        sent: list[object] = list(items)
        if chance.random() < faults.malformed:
            sent.insert(chance.randint(0, len(sent)), chance.choice(JUNK))
        body = _json(sent).encode()
        if chance.random() < faults.cut:
            body = body[: chance.randrange(len(body))]
        headers = signed_headers(
            body,
            self._options.push_secrets.get(message_type, "default"),
            room_id=self._options.room_id,
            message_type=message_type,
            nonce=self._ids.new(),
            stamp_ms=self._clock.now_ms(),
        )
        if chance.random() < faults.bad_signature:
            headers["x-signature"] = headers["x-signature"][::-1]
        try:
            async with asyncio.timeout(GIFT_ANSWER_WITHIN_S if message_type == GIFT else ANSWER_WITHIN_S):
                content = _slowly(body, faults.slow_s) if faults.slow_s else body
                answer = await self._http.post(self._options.target, content=content, headers=headers, timeout=None)
        except (httpx.HTTPError, TimeoutError) as error:
            late = isinstance(error, TimeoutError)
            self.refusals[f"{message_type}: {'no answer in time' if late else type(error).__name__}"] += 1
            return False
        if not answer.is_success:
            self.refusals[f"{message_type}: {answer.status_code} {_reason(answer)}".rstrip()] += 1
        return answer.is_success


def _reason(answer: httpx.Response) -> str:
    """The word that a refusal gives in `error`, if it does."""
    try:
        reason = answer.json()["error"]
    except (ValueError, RecursionError, LookupError, TypeError):
        return ""
    return reason[:40] if isinstance(reason, str) and reason.isidentifier() else ""


def _json(items: list[Item] | list[object]) -> str:
    return json.dumps(items, ensure_ascii=False, separators=(",", ":"))


async def _slowly(body: bytes, seconds: float) -> AsyncIterator[bytes]:
    """The first half at once, the second after the given time."""
    yield body[: len(body) // 2]
    await asyncio.sleep(seconds)
    yield body[len(body) // 2 :]
