"""Consumers of kafka-python, as a member's thread uses them: alone, or as part of a group."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from kafka import TopicPartition
from kafka.consumer.subscription_state import AsyncConsumerRebalanceListener
from kafka.coordinator.base import MemberState
from kafka.errors import (
    AuthorizationError,
    FencedInstanceIdError,
    SaslAuthenticationFailedError,
    UnsupportedSaslMechanismError,
)
from kafka.structs import OffsetAndMetadata

from services.core.bus.kafka import CLOSE_S, Start, not_allowed, wrong_password
from services.core.bus.kafka_member import Fetched, Member, Place, Refused
from services.core.bus.port import Record

log = logging.getLogger(__name__)

HEAD_START_S = 0.003
"""To ask for records takes a millisecond or two of Python, during which whoever handles the last ones would stand
still.
"""
IDLE_S = 1.0
"""A member that has been part of its group for so long and has no partition gets none for the time being."""


def explained(error: Exception) -> str:
    """What went wrong, and how to mend it where that is known."""
    match error:
        case SaslAuthenticationFailedError() | UnsupportedSaslMechanismError():
            return wrong_password(error)
        case AuthorizationError():
            return not_allowed(error)
        case _:
            return str(error) or type(error).__name__


def record_of(entry: Any) -> Record:
    """The record in what the library fetched. Text that is no UTF-8 is mended: who opens such a record rejects it."""
    return Record(
        entry.topic,
        (entry.key or b"").decode(errors="replace"),
        entry.value or b"",
        {name: (text or b"").decode(errors="replace") for name, text in entry.headers},
    )


class _Client:
    """A consumer of the library, as a member's thread uses it."""

    def __init__(self, consumer: Any, member: Member) -> None:
        self.joined = False
        self.head_start_s = HEAD_START_S
        self._consumer = consumer
        self._member = member

    def poll(self, timeout_s: float) -> list[Fetched]:
        # kafka-python 3.0.12 sets records aside when their partition is paused, and takes them up again only while this
        # is None. But what was read to its end stays here, empty: a partition that was resumed could wait for ever.
        if not self._consumer._fetcher._next_partition_records:
            self._consumer._fetcher._next_partition_records = None
        try:
            fetched = self._consumer.poll(timeout_ms=int(timeout_s * 1000))
        except (SaslAuthenticationFailedError, AuthorizationError, FencedInstanceIdError) as error:
            raise Refused(explained(error)) from error
        return [
            ((place.topic, place.partition), entry.offset, record_of(entry))
            for place, found in fetched.items()
            for entry in found
        ]

    def pause(self, places: Sequence[Place]) -> None:
        self._consumer.pause(*(TopicPartition(*place) for place in places))

    def resume(self, places: Sequence[Place]) -> None:
        self._consumer.resume(*(TopicPartition(*place) for place in places))

    def close(self) -> None:
        self._consumer.close(autocommit=False, timeout_ms=int(CLOSE_S * 1000))


class LoneClient(_Client):
    """Reads every partition, without a group."""

    def __init__(self, consumer: Any, member: Member, places: list[Any], start: Start, timeout_ms: int) -> None:
        super().__init__(consumer, member)
        try:
            consumer.assign(places)
            bounds = consumer.beginning_offsets if start == "earliest" else consumer.end_offsets
            begin = bounds(places, timeout_ms=timeout_ms)
        except BaseException:
            consumer.close()
            raise
        for place, offset in begin.items():
            consumer.seek(place, offset)
        member.take((place.topic, place.partition) for place in places)
        self.joined = True

    def commit(self, _: Mapping[Place, int], told: Callable[[Exception | None], None]) -> None:
        told(None)  # there is nobody to tell


class GroupClient(_Client):
    """A member of a group."""

    def __init__(self, consumer: Any, member: Member, topics: tuple[str, ...], start: Start) -> None:
        super().__init__(consumer, member)
        self._start = start
        self._new: deque[Any] = deque()
        """Partitions of which it is not known yet where to start; paused. Only with start="latest". The IO thread adds
        to it and the member's thread takes from it: a deque bears that."""
        self._idle_since: float | None = None
        consumer.subscribe(topics, listener=_Listener(self))

    def poll(self, timeout_s: float) -> list[Fetched]:
        # kafka-python 3.0.12 forgets a join that outlasts this call when the reason for it has passed meanwhile: it
        # would neither finish the join nor send heartbeats any more (`need_rejoin` in join_group_async).
        if self._consumer._coordinator.rejoining:
            self._consumer._coordinator.request_rejoin()
        if self._new:  # before records are taken: it may fail, and they would be lost
            self._begin_at_the_end()
        fetched = self._known(super().poll(timeout_s))
        if not self.joined:
            self.joined = self._settled()
        return fetched

    def _known(self, fetched: list[Fetched]) -> list[Fetched]:
        """Without records of partitions that the library reads before it tells of them: they are fetched again."""
        early: dict[Place, int] = {}
        for place, offset, _ in fetched:
            if place not in self._member.shares:
                early.setdefault(place, offset)
        if not early:
            return fetched
        mine = self._consumer.assignment()
        for place, offset in early.items():
            if (partition := TopicPartition(*place)) in mine:
                self._consumer.seek(partition, offset)
        return [entry for entry in fetched if entry[0] not in early]

    def _settled(self) -> bool:
        """Whether it has been told of all its partitions and reads them from the right offsets.

        The library calls itself stable before it has told, or even knows, what is assigned.
        """
        if self._consumer.group_metadata().state is not MemberState.STABLE:
            self._idle_since = None
            return False
        if mine := self._consumer.assignment():
            return not self._new and all((place.topic, place.partition) in self._member.shares for place in mine)
        self._idle_since = self._idle_since or time.monotonic()
        return time.monotonic() - self._idle_since > IDLE_S

    def _begin_at_the_end(self) -> None:
        """Where the group has committed nothing, it begins with the next record, and says so at once."""
        timeout_ms = int(CLOSE_S * 1000)
        new = list(self._new)
        unknown = [place for place in new if self._consumer.committed(place, timeout_ms=timeout_ms) is None]
        if unknown:
            ends = self._consumer.end_offsets(unknown, timeout_ms=timeout_ms)
            for place, end in ends.items():
                self._consumer.seek(place, end)
            self._consumer.commit({place: _offset(end) for place, end in ends.items()}, timeout_ms=timeout_ms)
        self._consumer.resume(*new)
        for place in new:
            with suppress(ValueError):  # lost meanwhile
                self._new.remove(place)

    def commit(self, offsets: Mapping[Place, int], told: Callable[[Exception | None], None]) -> None:
        def note(_: Any, answer: Any) -> None:
            told(answer if isinstance(answer, Exception) else None)

        self._consumer.commit_async(_offsets(offsets), callback=note)

    # What follows runs on the library's IO thread, while poll or close wait for it.

    def assigned(self, places: set[Any]) -> None:
        if self._start == "latest":
            self._consumer.pause(*places)
            self._new.extend(places)
        self._member.take((place.topic, place.partition) for place in places)

    async def revoked(self, places: set[Any]) -> None:
        """Waits until nobody works on the partitions, and commits."""
        shares = self._member.begin_release((place.topic, place.partition) for place in places)
        deadline = self._member.release_deadline()
        while not self._member.released(shares) and time.monotonic() < deadline:
            await self._consumer._net.sleep(0.01)
        offsets = self._member.news(shares)
        deadline = time.monotonic() + CLOSE_S
        while offsets and time.monotonic() < deadline:
            future = self._consumer.commit_async(_offsets(offsets), callback=lambda *_: None)
            while not future.is_done and time.monotonic() < deadline:
                await self._consumer._net.sleep(0.002)
            if future.succeeded():
                break
            if not future.retriable():
                log.warning("a partition was handed back without a last commit: %s", future.exception)
                break
            await self._consumer._net.sleep(0.05)
        self.lost(places)

    def lost(self, places: set[Any]) -> None:
        for place in places:
            with suppress(ValueError):
                self._new.remove(place)
        self._member.forget((place.topic, place.partition) for place in places)


class _Listener(AsyncConsumerRebalanceListener):  # type: ignore[misc]
    """What the library calls."""

    def __init__(self, client: GroupClient) -> None:
        self._client = client

    async def on_partitions_assigned(self, assigned: set[Any]) -> None:
        self._client.assigned(assigned)

    async def on_partitions_revoked(self, revoked: set[Any]) -> None:
        await self._client.revoked(revoked)

    async def on_partitions_lost(self, lost: set[Any]) -> None:
        self._client.lost(lost)


def _offset(offset: int) -> Any:
    return OffsetAndMetadata(offset, "", -1)


def _offsets(offsets: Mapping[Place, int]) -> dict[Any, Any]:
    return {TopicPartition(*place): _offset(offset) for place, offset in offsets.items()}
