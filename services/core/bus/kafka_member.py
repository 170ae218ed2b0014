"""What both Kafka drivers share: who holds which partition, how far it is, and how records reach the event loop.

One thread owns the client of a consumer. It hands records over in batches, one call to the loop for each, and reads
from plain attributes how far the loop is with them: every attribute of a share has one writing thread.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from services.core.bus.partitions import Progress
from services.core.bus.port import BusUnavailable, Delivery, Record

log = logging.getLogger(__name__)

Place = tuple[str, int]
"""A topic and one of its partitions."""
Fetched = tuple[Place, int, Record]
"""A record, with its partition and its offset there."""

POLL_S = 0.4
"""How long the client is asked for records at most; commits and leaving wait for it. Each call costs a millisecond of
processor time, or more.
"""
PAUSED_POLL_S = 0.01
"""The same while a partition is paused, so that it goes on soon, and until the group is joined."""
COMMIT_S, COMMIT_RECORDS = 1.0, 500
"""How long finished work is gathered before it is committed, unless it is so much. A commit costs reader and broker as
much as a record. What was not committed is handled again after a crash.
"""
AGAIN_S = (0.05, 0.1, 0.2, 0.5, 1.0)
"""How long the thread waits after so many failures in a row."""
LEAVE_S = 15.0
"""How long leaving may take; then the broker has to notice by itself that the member is gone."""


class Refused(Exception):
    """The broker will not change its mind: waiting mends nothing. The text says what to mend."""


class Client(Protocol):
    """A Kafka consumer, as the member's thread uses it."""

    joined: bool
    """Whether it takes part in its group, or reads its partitions, from the right offsets."""
    head_start_s: float
    """How long the process is left to the records that it gave before it is asked for more."""

    def poll(self, timeout_s: float) -> Sequence[Fetched]:
        """New records, in order per partition. Raises Refused, or anything else for what may pass."""

    def pause(self, places: Sequence[Place]) -> None:
        """No more records of these partitions."""

    def resume(self, places: Sequence[Place]) -> None:
        """Records of these partitions again."""

    def commit(self, offsets: Mapping[Place, int], told: Callable[[Exception | None], None], /) -> None:
        """Begins to commit; `told` is called later, by any thread."""

    def close(self) -> None:
        """Commits what is finished, leaves the group, and closes the connections, within bounded time."""


class Share:
    """A partition in a member's hands."""

    def __init__(self, place: Place, start: int | None) -> None:
        self.place = place
        self.closing = False
        """It is being handed back: nothing more of it is delivered. Written by the client."""
        # Of the member's thread:
        self.backlog: deque[tuple[int, Record]] = deque()
        """Fetched, and not handed over. Bounded by what one poll returns: the partition is paused then."""
        self.handed = 0
        self.paused = False
        self.told = start
        """What the group knows of its progress."""
        # Of the event loop:
        self.progress: Progress | None = None
        self.passed = 0
        """How many records lie below the lowest unfinished one."""
        self.held: set[int] = set()
        """Offsets that somebody works on."""
        self.quiet = False
        """The loop knows that it is closing."""
        self.committable = start
        """The lowest unfinished offset; None when nothing is known yet."""

    @property
    def unfinished(self) -> int:
        """How many records were handed over since the lowest unfinished one."""
        return self.handed - self.passed


class Member:
    """A reader of topics, alone or in a group: the port's Consumer on one side, the client's thread on the other."""

    def __init__(self, *, reader: str, max_unfinished: int, drain_s: float) -> None:
        self.shares: dict[Place, Share] = {}
        """Replaced as a whole whenever it changes, because two threads read it."""
        self.leaving = False
        self._reader = reader
        self._max_unfinished = max_unfinished
        self._drain_s = drain_s
        self._loop = asyncio.get_running_loop()
        # Bounded by max_unfinished for each partition.
        self._ready: deque[tuple[Share, Delivery]] = deque()
        self._arrived = asyncio.Event()
        self._joined = asyncio.Event()
        self._ended = asyncio.Event()
        self._closed = False
        self._failure: BaseException | None = None
        self._commit_at = 0.0
        self._committing = False
        self._commits_fail = False

    # on the event loop

    async def join(self, open_client: Callable[[Member], Client], timeout_s: float) -> None:
        """Starts the thread, and returns when its client has joined. Raises BusUnavailable."""
        threading.Thread(target=self._run, args=(open_client,), name=f"kafka {self._reader}", daemon=True).start()
        try:
            async with asyncio.timeout(timeout_s):
                await self._joined.wait()
        except TimeoutError:
            raise BusUnavailable(f"Kafka: {self._reader} could not join within {timeout_s:g} s") from None
        if self._failure is not None:
            raise BusUnavailable(f"Kafka: {self._failure}") from self._failure

    async def leave(self) -> None:
        """Ends the iteration, commits what is finished, and hands the partitions back."""
        self._closed = True
        self._ready.clear()
        self._arrived.set()
        self.leaving = True
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._ended.wait()
        except TimeoutError:
            log.warning("%s left Kafka without its good-bye: no answer within %g s", self._reader, LEAVE_S)

    async def __aiter__(self) -> AsyncIterator[Delivery]:
        while not self._closed:
            while self._ready:
                share, delivery = self._ready.popleft()
                if not share.closing:  # otherwise another member gets it
                    share.held.add(int(delivery.offset))
                    yield delivery
            if self._failure is not None:
                raise self._failure
            self._arrived.clear()
            if not self._closed:
                await self._arrived.wait()

    def _arrive(self, batch: Sequence[tuple[Share, int, Record]]) -> None:
        for share, offset, record in batch:
            if share.progress is None:
                share.progress = Progress(offset)
            share.progress.give(offset)
            finish = partial(self._finish, share, share.progress, offset)
            self._ready.append((share, Delivery(record, share.place[1], str(offset), finish)))
        self._arrived.set()

    def _finish(self, share: Share, progress: Progress, offset: int) -> None:
        before = progress.unfinished
        progress.finish(offset)
        share.held.discard(offset)
        share.passed += before - progress.unfinished
        share.committable = progress.committed

    def _end(self, failure: BaseException | None) -> None:
        self._failure = failure
        self._joined.set()
        self._ended.set()
        self._arrived.set()

    # on the client's thread

    def _run(self, open_client: Callable[[Member], Client]) -> None:
        failure: BaseException | None = None
        try:
            client = open_client(self)
            try:
                self._serve(client)
            finally:
                client.close()
        except Exception as error:
            failure = error
        with suppress(RuntimeError):  # nobody waits any longer
            self._loop.call_soon_threadsafe(self._end, failure)

    def _serve(self, client: Client) -> None:
        failures = 0
        joined = False
        while not self.leaving:
            try:
                self._take_in(client.poll(self._patience(joined)))
                if self._hand_over(client):
                    time.sleep(client.head_start_s)
                self._commit(client)
            except Refused:
                raise
            except Exception as error:  # whatever it is, the records must come in the end
                if failures == 0:
                    log.warning("%s cannot read from Kafka and goes on trying: %s", self._reader, error)
                time.sleep(AGAIN_S[min(failures, len(AGAIN_S) - 1)])
                failures += 1
                continue
            if failures:
                log.info("%s reads from Kafka again", self._reader)
            failures = 0
            if not joined and client.joined:
                joined = True
                self._loop.call_soon_threadsafe(self._joined.set)

    def _patience(self, joined: bool) -> float:
        shares = self.shares.values()
        return PAUSED_POLL_S if not joined or any(share.paused for share in shares) else POLL_S

    def _take_in(self, fetched: Sequence[Fetched]) -> None:
        shares = self.shares
        for place, offset, record in fetched:
            share = shares.get(place)
            if share is not None:
                share.backlog.append((offset, record))

    def _hand_over(self, client: Client) -> bool:
        """Hands over what fits, and pauses and resumes partitions so that little waits here. Whether anything was."""
        batch: list[tuple[Share, int, Record]] = []
        pause: list[Place] = []
        resume: list[Place] = []
        for share in self.shares.values():
            if share.closing:
                continue
            room = self._max_unfinished - share.unfinished
            while share.backlog and room > 0:
                batch.append((share, *share.backlog.popleft()))
                share.handed += 1
                room -= 1
            if not share.paused and room <= 0:
                share.paused = True
                pause.append(share.place)
            elif share.paused and not share.backlog and room >= self._max_unfinished - self._max_unfinished // 2:
                share.paused = False
                resume.append(share.place)
        if batch:
            self._loop.call_soon_threadsafe(self._arrive, batch)
        if pause:
            client.pause(pause)
        if resume:
            client.resume(resume)
        return bool(batch)

    def _commit(self, client: Client) -> None:
        now = time.monotonic()
        shares = self.shares.values()  # as they are now: another thread may replace them
        offsets = {} if self._committing else self.news(shares)
        much = not self._commits_fail and _untold(shares, offsets) >= COMMIT_RECORDS
        if offsets and (now >= self._commit_at or much):
            self._commit_at = now + COMMIT_S
            self._committing = True
            client.commit(offsets, partial(self._told, offsets))

    def _told(self, offsets: Mapping[Place, int], error: Exception | None) -> None:
        self._committing = False
        if error is None:
            self.learn(offsets)
            if self._commits_fail:
                log.info("%s commits to Kafka again", self._reader)
        elif not self._commits_fail:
            log.warning("%s cannot commit to Kafka, and goes on trying: %s", self._reader, error)
        self._commits_fail = error is not None

    # called by the client, on whatever thread it hears of its partitions

    def take(self, places: Iterable[Place], starts: Mapping[Place, int] | None = None) -> None:
        """These partitions are the member's now."""
        known = starts or {}
        self.shares = self.shares | {place: Share(place, known.get(place)) for place in places}

    def begin_release(self, places: Iterable[Place]) -> list[Share]:
        """These partitions are to be handed back: nothing more of them is delivered from now on."""
        shares = [self.shares[place] for place in places if place in self.shares]
        for share in shares:
            share.closing = True
        with suppress(RuntimeError):  # the loop is gone
            self._loop.call_soon_threadsafe(self._quieten, shares)
        return shares

    @staticmethod
    def _quieten(shares: list[Share]) -> None:
        for share in shares:
            share.quiet = True

    def release_deadline(self) -> float:
        """The monotonic time up to which handed-back partitions may be worked on. Who leaves has ended its work."""
        return time.monotonic() + (0.0 if self.leaving else self._drain_s)

    def released(self, shares: Iterable[Share]) -> bool:
        """Whether nobody works on these partitions any longer."""
        return all(share.quiet and not share.held for share in shares)

    def news(self, shares: Iterable[Share]) -> dict[Place, int]:
        """What the group should know of these partitions and does not."""
        return {
            share.place: offset
            for share in shares
            if (offset := share.committable) is not None and (share.told is None or offset > share.told)
        }

    def learn(self, offsets: Mapping[Place, int]) -> None:
        """The group knows these offsets now."""
        for place, offset in offsets.items():
            share = self.shares.get(place)
            if share is not None:
                share.told = offset

    def forget(self, places: Iterable[Place]) -> None:
        """These partitions are no longer the member's."""
        gone = set(places)
        for place in gone & self.shares.keys():
            self.shares[place].closing = True
        self.shares = {place: share for place, share in self.shares.items() if place not in gone}


def _untold(shares: Iterable[Share], offsets: Mapping[Place, int]) -> int:
    """How many records the group does not know to be finished. Of a partition of which it knows nothing, one."""
    told = ((offsets[share.place], share.told) for share in shares if share.place in offsets)
    return sum(1 if before is None else offset - before for offset, before in told)
