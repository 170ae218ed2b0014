"""Chat answers every turn once, falls back without a silence, and says nothing unchecked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chat.service import Chat, history_key
from services.core import topics
from services.core.bus import MemoryBus
from services.core.clock import LoopClock
from services.core.envelope import seal, unseal
from services.core.events import Control, HistoryLine, Performed, Stop, TextSegment, Turn
from services.core.inference import InProcess
from services.core.moderation import Moderator
from services.core.state import MemoryState
from services.core.telemetry import Telemetry
from services.core.virtual_time import virtual_time
from tests.unit.chat.fakes import PERSONA, Scripted, asked, gave


class Room:
    def __init__(self, *, persona: tuple[str, ...] = (), **models: Scripted) -> None:
        self.models, self.persona = models, persona
        self.clock = LoopClock()
        self.bus, self.state = MemoryBus(), MemoryState(self.clock)
        self.telemetry = Telemetry("test")

    @asynccontextmanager
    async def chatting(self) -> AsyncIterator[None]:
        chat = Chat(
            self.bus,
            self.state,
            InProcess(self.models),
            self.clock,
            self.telemetry,
            Moderator.built_in(),
            PERSONA,
            rungs=tuple(self.models),
            own=self.persona,
        )
        task = asyncio.create_task(chat.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def ask(self, turn: Turn) -> None:
        record = seal(topics.TURNS, turn, event_id=turn.turn_id, room_id="a", source="test", now_ms=0)
        await self.bus.publish(record)
        await asyncio.sleep(0.1)

    async def said(self) -> list[TextSegment]:
        return [unseal(record, TextSegment) async for record in self.bus.read(topics.TEXT)]


@virtual_time
async def test_the_best_rung_answers() -> None:
    room = Room(best=Scripted("你好，", "再见。"), own=Scripted("我在。"))
    async with room.chatting():
        await room.ask(asked("你好"))
    assert [(s.sequence, s.text, s.last) for s in await room.said()] == [(0, "你好，", False), (1, "再见。", True)]


@virtual_time
async def test_figures_alone_are_in_the_language_that_she_speaks() -> None:
    room = Room(best=Scripted("The answer?", "42!", "明白了吗？", "7。"), own=Scripted("我在。"))
    async with room.chatting():
        await room.ask(asked("what is it", turn_id="aa"))
    assert [s.language for s in await room.said()] == ["en", "en", "zh", "zh"]


@virtual_time
async def test_figures_alone_at_the_beginning_are_in_the_language_of_whom_she_answers() -> None:
    room = Room(best=Scripted("42!"), own=Scripted("我在。"))
    async with room.chatting():
        await room.ask(asked("how many", turn_id="aa"))
        await room.ask(asked("有几个", turn_id="bb", epoch=2))
    assert [s.language for s in await room.said()] == ["en", "zh"]


@virtual_time
async def test_a_rung_that_fails_at_once_is_replaced_by_the_next_and_rests() -> None:
    best = Scripted("x", fails_after=0)
    room = Room(best=best, own=Scripted("我在。"))
    async with room.chatting():
        await room.ask(asked("你好", turn_id="aa"))
        await room.ask(asked("你好", turn_id="bb", epoch=2))
        assert len(best.requests) == 1
        await asyncio.sleep(10)
        best.fails_after = None
        await room.ask(asked("你好", turn_id="cc", epoch=3))
    assert [s.text for s in await room.said()] == ["我在。", "我在。", "x"]
    assert room.telemetry.metrics.rung_failed.labels("chat", "best")._value.get() == 1
    firsts = room.telemetry.metrics.registry.get_sample_value
    assert firsts("lydia_chat_first_words_seconds_count", {"rung": "best"}) == 1


@virtual_time
async def test_an_answer_that_dies_in_the_middle_is_closed_without_saying_it_twice() -> None:
    room = Room(best=Scripted("说到一半，", "还有。", fails_after=1), own=Scripted("我在。"))
    async with room.chatting():
        await room.ask(asked("你好"))
    assert [(s.text, s.last) for s in await room.said()] == [("说到一半，", False), ("", True)]


@virtual_time
async def test_when_every_rung_fails_she_still_says_so() -> None:
    room = Room(own=Scripted("x", fails_after=0))
    async with room.chatting():
        await room.ask(asked("你好"))
    said = await room.said()
    assert [s.text for s in said] and said[0].text in [line.zh for line in PERSONA.lines["silence_broken"]]
    assert said[-1].last


@virtual_time
async def test_her_persona_goes_on_here_where_its_server_broke_off_and_says_nothing_twice() -> None:
    for fails_after in (0, 1, 2):
        there = Scripted("谢谢小明，", "谢谢小红，", "谢谢大家！", fails_after=fails_after)
        room = Room(persona=("there",), best=Scripted("x"), there=there, here=Scripted(*there.segments))
        async with room.chatting():
            await room.ask(gave(("小明", "玫瑰", 1, 10)))
        assert [s.text for s in await room.said()] == list(there.segments)
        assert room.telemetry.metrics.rung.labels("chat", "here")._value.get() == 1


@virtual_time
async def test_nothing_is_said_that_moderation_refuses() -> None:
    room = Room(own=Scripted("我的电话是13800138000，", "好的。"))
    async with room.chatting():
        await room.ask(asked("你好"))
    first, second = await room.said()
    assert first.text in [line.zh for line in PERSONA.lines["fallback_safe"]]
    assert second.text == "好的。"


@virtual_time
async def test_what_must_not_be_said_is_not_said_in_two_breaths_either_and_ends_the_answer() -> None:
    best = Scripted("你打138，", "00138000，", "好的。")
    room = Room(best=best, own=Scripted("我在。"))
    async with room.chatting():
        await room.ask(asked("你好"))
    first, second = await room.said()
    assert (first.text, first.last) == ("你打138，", False)
    assert second.text in [line.zh for line in PERSONA.lines["fallback_safe"]]
    assert second.last
    assert best.closed == 1


@virtual_time
async def test_what_is_held_back_is_replaced_in_its_own_language() -> None:
    room = Room(own=Scripted("My number is 13800138000, call me."))
    async with room.chatting():
        await room.ask(asked("hello there"))
    assert (await room.said())[0].text in [line.en for line in PERSONA.lines["fallback_safe"]]


@virtual_time
async def test_a_rung_with_a_fault_of_its_own_is_replaced_by_the_next() -> None:
    class Faulty(Scripted):
        async def stream(self, request):  # type: ignore[no-untyped-def]  # noqa: ARG002
            raise AttributeError("what a viewer wrote")
            yield

    room = Room(best=Faulty(), own=Scripted("我在。"))
    async with room.chatting():
        await room.ask(asked("你好"))
    assert [s.text for s in await room.said()] == ["我在。"]


@virtual_time
async def test_an_english_viewer_hears_in_english_that_nothing_works() -> None:
    room = Room(own=Scripted("x", fails_after=0))
    async with room.chatting():
        await room.ask(asked("how are you"))
    assert (await room.said())[0].text in [line.en for line in PERSONA.lines["silence_broken"]]


@virtual_time
async def test_thanks_are_never_left_to_a_language_model() -> None:
    best, own = Scripted("x"), Scripted("谢谢！")
    room = Room(best=best, own=own)
    async with room.chatting():
        await room.ask(gave(("小明", "玫瑰", 1, 10)))
    assert not best.requests
    assert own.requests


@virtual_time
async def test_a_newer_epoch_cancels_the_answer() -> None:
    class Slow(Scripted):
        async def stream(self, request):  # type: ignore[no-untyped-def]
            try:
                for segment in ("一，", "二，", "三。"):
                    await asyncio.sleep(1)
                    yield TextSegment(room_id="a", turn_id=request.turn.turn_id, epoch=1, text=segment)
            finally:
                self.closed += 1

    slow = Slow()
    room = Room(own=slow)
    async with room.chatting():
        await room.ask(asked("你好"))
        await asyncio.sleep(1.5)
        control = Control(control_id="c", room_id="a", epoch=2, stop=Stop())
        await room.bus.publish(seal(topics.CONTROL, control, event_id="c", room_id="a", source="t", now_ms=0))
        await asyncio.sleep(5)
        assert slow.closed == 1
        assert await room.bus.lag(topics.TURNS, "chat") == 0
    assert [s.text for s in await room.said()] == ["一，"]


@virtual_time
async def test_a_turn_that_comes_again_after_a_crash_is_answered_by_the_persona_with_the_same_ids() -> None:
    best, own = Scripted("新的话。"), Scripted("我在。")
    room = Room(best=best, own=own)
    async with room.chatting():
        await room.ask(asked("你好"))
    async with room.chatting():
        await room.ask(asked("你好"))
    records = [record async for record in room.bus.read(topics.TEXT)]
    assert [unseal(record, TextSegment).text for record in records] == ["新的话。", "我在。"]
    assert len({record.headers["ce_id"] for record in records}) == 1


@virtual_time
async def test_what_a_turn_answers_goes_with_its_first_words() -> None:
    room = Room(own=Scripted("你好，", "再见。"))
    turn = asked("你好")
    async with room.chatting():
        await room.ask(turn)
    first, second = await room.said()
    assert first.turn == turn
    assert not second.HasField("turn")


@virtual_time
async def test_her_own_lines_do_not_wait_for_what_was_said_before() -> None:
    room = Room(own=Scripted("我在。"))
    read: list[str] = []
    get = room.state.get

    async def noted(key: str) -> bytes | None:
        read.append(key)
        return await get(key)

    room.state.get = noted  # type: ignore[method-assign]
    async with room.chatting():
        await room.ask(asked("你好"))
    assert [segment.text for segment in await room.said()] == ["我在。"]
    assert history_key("a") not in read


@virtual_time
async def test_she_remembers_only_what_was_heard() -> None:
    best = Scripted("第一句，", "第二句。")
    room = Room(best=best, own=Scripted("我在。"))
    async with room.chatting():
        await room.ask(asked("你几岁", turn_id="aa"))
        for state, heard in ((Performed.STATE_HEARD, "第一句，"), (Performed.STATE_STOPPED, "第一句，")):
            performed = Performed(room_id="a", turn_id="aa", epoch=1, state=state, heard_text=heard)
            await room.bus.publish(
                seal(topics.PERFORMED, performed, event_id=f"p{state}", room_id="a", source="t", now_ms=0)
            )
        await asyncio.sleep(0.1)
        await room.ask(asked("再说一次", turn_id="bb", epoch=2))
    history = best.requests[-1].history
    assert [(line.speaker, line.text) for line in history] == [
        (HistoryLine.SPEAKER_VIEWER, "你几岁"),
        (HistoryLine.SPEAKER_LYDIA, "第一句，"),
    ]
