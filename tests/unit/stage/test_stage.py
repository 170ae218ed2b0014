"""The stage as other services and renderers meet it: events in, frames and reports out, the operator above all."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from services.core import topics
from services.core.bus import MemoryBus
from services.core.clock import LoopClock
from services.core.envelope import seal, unseal
from services.core.events import (
    EMOTION_SHY,
    GESTURE_NONE,
    GESTURE_WAVE,
    AudienceCause,
    AudienceEvent,
    Chat,
    Control,
    Decision,
    Gift,
    Joint,
    MotionChunk,
    Mute,
    OperatorCause,
    Performed,
    StageFrame,
    Stop,
    Supersede,
    Turn,
    VoiceChunk,
)
from services.core.ids import SeededIds
from services.core.moderation import Moderator
from services.core.settings import Stage as Settings
from services.core.state import MemoryState
from services.core.telemetry import Telemetry
from services.core.turns import epoch_key
from services.core.virtual_time import virtual_time
from services.motion.face import INDEX, SIZE
from services.motion.joints import JOINTS
from services.stage.room import LABEL, RENDERER_QUEUE, Renderer, numbered
from services.stage.service import Stage

RATE = 24_000
MODERATOR = Moderator.built_in()


def performance(
    room_id: str,
    epoch: int,
    seconds: float,
    *,
    chunks: int = 1,
    jaw: float = 0.5,
    last: bool = True,
    rung: str = "",
    words_rung: str = "",
    turn: Turn | None = None,
) -> Iterator[tuple[VoiceChunk, MotionChunk]]:
    length = round(seconds * RATE / chunks / 400) * 400
    for k in range(chunks):
        common: dict[str, Any] = {
            "room_id": room_id,
            "turn_id": f"{room_id}{epoch}",
            "epoch": epoch,
            "sequence": k,
            "segment": k,
        }
        final = last and k == chunks - 1
        voice = VoiceChunk(
            **common,
            start_sample=k * length,
            pcm_s16le=b"\1\0" * length,
            text=f"part {k}",
            emotion=EMOTION_SHY,
            intensity=0.5,
            gesture=GESTURE_WAVE if k == 0 else GESTURE_NONE,
            last_of_segment=True,
            last=final,
            rung=rung,
            words_rung=words_rung,
            turn=turn if k == 0 else None,
        )
        count = length // 400
        face = np.zeros((count, SIZE), "<f4")
        face[:, INDEX["JawOpen"]] = jaw
        joints = np.zeros((count, len(JOINTS), 4), "<f4")
        joints[..., 3] = 1
        motion = MotionChunk(
            **common,
            frame_rate=60,
            start_sample=k * length,
            frame_count=count,
            face_f32le=face.tobytes(),
            joints=JOINTS,
            joints_f32le=joints.tobytes(),
            last=final,
        )
        yield voice, motion


class Theatre:
    """A stage over a bus in memory."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self.clock = LoopClock()
        self.bus, self.state = MemoryBus(), MemoryState(self.clock)
        self.telemetry = Telemetry("test")
        self.stage = self.new_stage()

    def new_stage(self) -> Stage:
        return Stage(self.bus, self.state, self.clock, SeededIds(1), self.telemetry, MODERATOR, self.settings)

    @asynccontextmanager
    async def playing(self) -> AsyncIterator[Stage]:
        task = asyncio.create_task(self.stage.run())
        await asyncio.sleep(0.001)
        try:
            yield self.stage
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def say(self, room_id: str, epoch: int, seconds: float, **how: Any) -> None:
        for k, chunks in enumerate(performance(room_id, epoch, seconds, **how)):
            for topic, event in zip((topics.VOICE, topics.FRAMES), chunks, strict=True):
                await self.bus.publish(
                    seal(topic, event, event_id=f"{topic}{epoch}{k}", room_id=room_id, source="test", now_ms=0)
                )

    async def open_turn(self, turn: Turn) -> None:
        await self.bus.publish(
            seal(topics.TURNS, turn, event_id=turn.turn_id, room_id=turn.room_id, source="test", now_ms=0)
        )

    async def tell(self, control: Control) -> None:
        control.control_id = f"{control.room_id}{control.epoch}"
        control.at_ms = self.clock.now_ms()
        record = seal(
            topics.CONTROL, control, event_id=control.control_id, room_id=control.room_id, source="test", now_ms=0
        )
        await self.bus.publish(record)

    async def performed(self, room_id: str) -> list[Performed]:
        records = [record async for record in self.bus.read(topics.PERFORMED)]
        return [unseal(record, Performed) for record in records if record.key == room_id]


def received(renderer: Renderer) -> list[StageFrame]:
    frames = []
    while not renderer.messages.empty():
        content = renderer.messages.get_nowait()
        assert content is not None
        frames.append(StageFrame.FromString(numbered(renderer, content, 0)))
    return frames


def of(kind: str, frames: list[StageFrame]) -> list[Any]:
    return [getattr(frame, kind) for frame in frames if frame.WhichOneof("content") == kind]


@virtual_time
async def test_a_renderer_is_greeted_with_the_label_and_sees_her_alive_before_anything_is_said() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room) as renderer:
            await asyncio.sleep(3)
            frames = received(renderer)
    assert [frame.sequence for frame in frames] == list(range(len(frames)))
    hello = frames[0].hello
    assert hello.label == LABEL
    assert len(hello.face_names) == SIZE
    assert list(hello.joints) == [Joint.Name(j) and j for j in JOINTS]
    motion = of("motion", frames)
    shown = {m.start_sample // 400 + k for m in motion for k in range(m.frame_count)}
    assert shown >= set(range(3 * 60))
    faces = np.concatenate([np.frombuffer(m.face_f32le, "<f4").reshape(-1, SIZE) for m in motion])
    assert np.abs(np.diff(faces, axis=0)).max() > 0


@virtual_time
async def test_a_turn_is_heard_captioned_moved_and_reported() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room) as renderer:
            await theatre.say("a", 1, 2, chunks=4)
            await asyncio.sleep(3)
            frames = received(renderer)
    voice = of("voice", frames)
    assert sum(len(v.pcm_s16le) // 2 for v in voice) == 2 * RATE
    captions = of("caption", frames)
    assert [c.text for c in captions] == [f"part {k}" for k in range(4)]
    assert {(c.emotion, c.intensity) for c in captions} == {(EMOTION_SHY, 0.5)}
    assert [c.gesture for c in captions] == [GESTURE_WAVE, *[GESTURE_NONE] * 3]
    start = voice[0].start_sample
    jaw: dict[int, float] = {}
    for m in of("motion", frames):
        faces = np.frombuffer(m.face_f32le, "<f4").reshape(-1, SIZE)
        jaw |= {m.start_sample // 400 + k: float(faces[k, INDEX["JawOpen"]]) for k in range(m.frame_count)}
    assert jaw[start // 400 + 30] > 0.4
    assert jaw[start // 400 - 2] < 0.1
    states = [report.state for report in await theatre.performed("a")]
    assert states == [Performed.STATE_STARTED, *[Performed.STATE_HEARD] * 3, Performed.STATE_FINISHED]
    assert await theatre.bus.lag(topics.VOICE, "stage") == 0
    assert await theatre.bus.lag(topics.FRAMES, "stage") == 0


@virtual_time
async def test_whom_she_answers_is_shown_too_when_her_voice_comes_before_the_turn_is_known() -> None:
    theatre = Theatre()
    cause = AudienceCause(events=[AudienceEvent(event_id="e1", gift=Gift(name="rose"))])
    turn = Turn(turn_id="a1", room_id="a", epoch=1, audience=cause)
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room) as renderer:
            await theatre.say("a", 1, 2)
            await asyncio.sleep(1)
            first = of("performing", received(renderer))
            await theatre.bus.publish(seal(topics.TURNS, turn, event_id="a1", room_id="a", source="test", now_ms=0))
            await asyncio.sleep(0.1)
            second = of("performing", received(renderer))
        with stage.joined(room) as later:
            third = of("performing", received(later))
    assert [(p.turn.turn_id, len(p.turn.audience.events)) for p in first] == [("a1", 0)]
    assert [(p.turn, p.start_sample, p.speaking) for p in second] == [(turn, first[0].start_sample, True)]
    assert third == second


@virtual_time
async def test_whom_she_answers_is_shown_from_the_first_voice_on_when_it_comes_with_it() -> None:
    theatre = Theatre()
    cause = AudienceCause(events=[AudienceEvent(event_id="e1", gift=Gift(name="rose"))])
    turn = Turn(turn_id="a1", room_id="a", epoch=1, audience=cause)
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room) as renderer:
            await theatre.say("a", 1, 1, turn=turn)
            await asyncio.sleep(0.5)
            await theatre.open_turn(turn)
            await asyncio.sleep(2)
            told = of("performing", received(renderer))
    assert [(p.turn, p.speaking) for p in told if p.speaking] == [(turn, True)]


@virtual_time
async def test_a_stage_that_opens_the_room_for_a_voice_knows_whom_she_answers() -> None:
    theatre = Theatre()
    turn = Turn(turn_id="a1", room_id="a", epoch=1, audience=AudienceCause(events=[AudienceEvent(event_id="e1")]))
    async with theatre.playing() as stage:
        await theatre.say("a", 1, 2, turn=turn)
        await asyncio.sleep(1)
        with stage.joined(await stage.open("a")) as renderer:
            told = of("performing", received(renderer))
    assert [p.turn for p in told] == [turn]


@virtual_time
async def test_a_turn_that_died_before_it_was_known_is_not_read_and_its_text_waits_no_more() -> None:
    theatre = Theatre()
    read: list[Turn] = []
    alive = Turn(turn_id="a2", room_id="a", epoch=2)
    async with theatre.playing() as stage:
        room = await stage.open("a")
        room.status.says.append("hello")
        room.interrupt(2, reason="stop")
        with patch.object(room, "turn", read.append):
            await theatre.open_turn(Turn(turn_id="a1", room_id="a", epoch=1, operator=OperatorCause(text="hello")))
            await theatre.open_turn(alive)
            await asyncio.sleep(0.1)
        assert list(room.status.says) == []
    assert read == [alive]


@virtual_time
async def test_of_a_turn_that_is_over_she_reads_nothing_any_more() -> None:
    theatre = Theatre()
    asked = Turn(
        room_id="a", turn_id="a1", epoch=1, audience=AudienceCause(events=[AudienceEvent(chat=Chat(text="?"))])
    )
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room) as renderer:
            await theatre.say("a", 1, 0.2, turn=asked)
            await asyncio.sleep(3)
            received(renderer)
            before = room.now() // 400
            await theatre.open_turn(asked)
            await asyncio.sleep(1)
            frames = received(renderer)
    quiet = Theatre()
    async with quiet.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room) as renderer:
            await quiet.say("a", 1, 0.2, turn=asked)
            await asyncio.sleep(4)
            expected = received(renderer)
    faces, still = (
        {
            m.start_sample // 400 + k: bytes(m.face_f32le[k * SIZE * 4 : (k + 1) * SIZE * 4])
            for m in of("motion", told)
            for k in range(m.frame_count)
        }
        for told in (frames, expected)
    )
    later = {frame: face for frame, face in faces.items() if frame > before + 20}
    assert len(later) > 30
    assert later == {frame: still[frame] for frame in later}


@virtual_time
async def test_who_watches_is_told_at_once_when_another_rung_speaks_or_writes() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a"), console=True) as console:
            told = []
            turns = (("natural", ""), ("natural", "persona"), ("natural", "persona"), ("espeak", "persona"), ("", ""))
            for epoch, (rung, words_rung) in enumerate(turns, 1):
                received(console)
                await theatre.say("a", epoch, 1, rung=rung, words_rung=words_rung)
                await asyncio.sleep(0.001)
                told.append([(s.speech_rung, s.chat_rung) for s in of("status", received(console))])
                await asyncio.sleep(2)
    assert told == [[("natural", "")], [("natural", "persona")], [], [("espeak", "persona")], []]


@virtual_time
async def test_what_was_performed_takes_no_memory_where_nobody_watches() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        held = []
        tracemalloc.start()
        try:
            for epoch in range(1, 41):
                [(voice, motion)] = performance("a", epoch, 4)
                room.voice(voice)
                room.motion(motion)
                await asyncio.sleep(5)
                held.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
    assert held[-1] - held[9] < 1_000_000


@virtual_time
async def test_two_rooms_never_hear_each_other() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a")) as first, stage.joined(await stage.open("b")) as second:
            await theatre.say("a", 1, 1)
            await theatre.say("b", 1, 1)
            await asyncio.sleep(2)
            assert {v.turn_id for v in of("voice", received(first))} == {"a1"}
            assert {v.turn_id for v in of("voice", received(second))} == {"b1"}


@virtual_time
async def test_a_stop_reaches_the_renderer_at_once_and_the_old_turn_never_comes_back() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a")) as renderer:
            await theatre.say("a", 1, 5, chunks=5)
            await asyncio.sleep(1)
            received(renderer)
            await theatre.tell(Control(room_id="a", epoch=2, stop=Stop()))
            await asyncio.sleep(0.001)
            frames = received(renderer)
            stop = of("stop", frames)[0]
            assert stop.epoch == 2
            assert stop.fade_ms <= 50
            await theatre.say("a", 1, 5, chunks=6)
            await asyncio.sleep(6)
            assert of("voice", received(renderer)) == []
    last = (await theatre.performed("a"))[-1]
    assert (last.state, last.reason) == (Performed.STATE_STOPPED, "stop")
    assert 0.9 * RATE < last.heard_samples <= RATE


@virtual_time
async def test_an_operators_mute_counts_the_epoch_up_is_told_to_all_and_survives_a_restart() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        await theatre.say("a", 1, 5)
        await asyncio.sleep(1)
        mute = Control(mute=Mute(muted=True))
        assert await stage.control("a", mute, issued_by="Li")
        assert mute.epoch > 1
    told = [unseal(r, Control) async for r in theatre.bus.read(topics.CONTROL)]
    assert [(c.mute.muted, c.issued_by) for c in told if c.HasField("mute")] == [(True, "Li")]
    theatre.stage = theatre.new_stage()
    async with theatre.playing() as stage:
        assert (await stage.open("a")).status.muted


@virtual_time
async def test_a_superseding_turn_takes_over_only_with_its_voice() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a")) as renderer:
            await theatre.say("a", 1, 5)
            await asyncio.sleep(1)
            await theatre.tell(Control(room_id="a", epoch=2, supersede=Supersede(turn_id="a2")))
            await asyncio.sleep(0.5)
            assert not of("stop", received(renderer))
            await theatre.say("a", 2, 1)
            await asyncio.sleep(0.001)
            kinds = [frame.WhichOneof("content") for frame in received(renderer)]
            assert kinds.index("stop") < kinds.index("voice")


@virtual_time
async def test_after_a_crash_the_cut_turn_goes_on_with_the_first_part_that_was_not_heard() -> None:
    theatre = Theatre()
    async with theatre.playing():
        await theatre.say("a", 1, 4, chunks=4)
        await asyncio.sleep(2.5)
    theatre.stage = theatre.new_stage()
    async with theatre.playing() as stage:
        with stage.joined(await stage.open("a")) as renderer:
            await asyncio.sleep(5)
            assert [c.text for c in of("caption", received(renderer))] == ["part 2", "part 3"]
    reports = await theatre.performed("a")
    assert reports[-1].state == Performed.STATE_FINISHED
    assert reports[-1].heard_segments == 4
    assert await theatre.bus.lag(topics.VOICE, "stage") == 0


@virtual_time
async def test_a_renderer_that_joins_in_the_middle_hears_the_rest() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        await theatre.say("a", 1, 4)
        await asyncio.sleep(2)
        with stage.joined(room) as renderer:
            await asyncio.sleep(3)
            voice = of("voice", received(renderer))
    assert 1.9 * RATE < sum(len(v.pcm_s16le) // 2 for v in voice) < 2.5 * RATE


@virtual_time
async def test_a_room_that_is_often_woken_sends_its_frames_in_few_messages_and_none_late() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room) as renderer:
            messages = of("motion", received(renderer))
            for _ in range(200):
                await asyncio.sleep(0.05)
                room.wake()
                messages += of("motion", received(renderer))
                assert messages[-1].start_sample // 400 + messages[-1].frame_count > room.now() // 400 + 12
    assert 10 < len(messages) < 50


@virtual_time
async def test_a_renderer_that_falls_behind_is_let_go_and_the_others_go_on() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room) as slow, stage.joined(room) as quick:
            for _ in range(RENDERER_QUEUE):
                await asyncio.sleep(1)
                received(quick)
            assert slow.lost
            assert not quick.lost


@virtual_time
async def test_a_room_nobody_watches_is_closed_and_presence_is_told() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room):
            await stage.announce(room)
            await asyncio.sleep(30)
        await stage.announce(room)
        assert "a" in stage.rooms()
        await asyncio.sleep(200)
        assert stage.rooms() == {}
    told = [unseal(r, Control).presence.renderers async for r in theatre.bus.read(topics.CONTROL)]
    assert told[0] == 1
    assert told[-1] == 0


@virtual_time
async def test_a_console_reads_along_without_counting_as_somebody_who_watches() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room, console=True) as console:
            await theatre.say("a", 1, 1)
            await asyncio.sleep(2)
            kinds = {frame.WhichOneof("content") for frame in received(console)}
            assert room.status.renderers == 0
    assert {"hello", "status", "performing", "caption"} <= kinds
    assert not kinds & {"voice", "motion"}


@virtual_time
async def test_who_joins_later_sees_the_latest_choices() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        room = await stage.open("a")
        for number in range(40):
            room.decision(Decision(event_id=str(number), room_id="a", outcome=Decision.OUTCOME_CHOSEN))
        with stage.joined(room) as renderer:
            assert [d.event_id for d in of("decision", received(renderer))] == [str(n) for n in range(10, 40)]


@virtual_time
async def test_a_turn_that_is_overtaken_before_it_began_keeps_no_record() -> None:
    theatre = Theatre()
    async with theatre.playing():
        overtaken = VoiceChunk(room_id="a", turn_id="a1", epoch=1, pcm_s16le=b"\1\0" * 2_400, text="hm")
        await theatre.bus.publish(
            seal(topics.VOICE, overtaken, event_id="overtaken", room_id="a", source="test", now_ms=0)
        )
        await asyncio.sleep(0.01)
        await theatre.say("a", 2, 1.0)
        await asyncio.sleep(3)
        assert [report.turn_id for report in await theatre.performed("a")][-1] == "a2"
        assert await theatre.bus.lag(topics.VOICE, "stage") == 0
        assert await theatre.bus.lag(topics.FRAMES, "stage") == 0


@virtual_time
async def test_a_late_turn_that_was_given_up_is_not_performed_even_before_its_end_is_told() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        await stage.open("a")
        given_up = await theatre.state.increment(epoch_key("a"))
        await theatre.state.increment(epoch_key("a"))
        await theatre.say("a", given_up, 1.0)
        await asyncio.sleep(3)
        assert not await theatre.performed("a")
        assert await theatre.bus.lag(topics.VOICE, "stage") == 0
        assert await theatre.bus.lag(topics.FRAMES, "stage") == 0


@virtual_time
async def test_a_turn_that_comes_in_time_is_performed_without_asking_the_state() -> None:
    theatre = Theatre()
    async with theatre.playing() as stage:
        await stage.open("a")

        async def never(key: str) -> bytes | None:
            await asyncio.sleep(1_000)
            return key.encode()

        theatre.state.get = never  # type: ignore[method-assign]
        turn = Turn(turn_id="a1", room_id="a", epoch=1, opened_at_ms=theatre.clock.now_ms())
        await theatre.bus.publish(seal(topics.TURNS, turn, event_id="a1", room_id="a", source="test", now_ms=0))
        await asyncio.sleep(1)
        await theatre.say("a", 1, 1.0)
        await asyncio.sleep(3)
        assert [report.turn_id for report in await theatre.performed("a")][-1] == "a1"


@virtual_time
async def test_before_she_answers_she_reads_and_when_she_speaks_she_looks_up() -> None:
    theatre = Theatre()
    asked = Turn(
        room_id="a", turn_id="a1", epoch=1, audience=AudienceCause(events=[AudienceEvent(chat=Chat(text="?"))])
    )
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room) as renderer:
            await asyncio.sleep(0.5)
            await theatre.bus.publish(seal(topics.TURNS, asked, event_id="a1", room_id="a", source="test", now_ms=0))
            await asyncio.sleep(0.5)
            await theatre.say("a", 1, 2.0)
            await asyncio.sleep(2)
            frames = received(renderer)
    start = of("voice", frames)[0].start_sample // 400
    gaze: dict[int, float] = {}
    for m in of("motion", frames):
        faces = np.frombuffer(m.face_f32le, "<f4").reshape(-1, SIZE)
        gaze |= {m.start_sample // 400 + k: float(faces[k, INDEX["LeftEyePitch"]]) for k in range(m.frame_count)}
    assert np.mean([gaze[frame] for frame in range(40, start)]) < -0.05
    assert abs(np.mean([gaze[frame] for frame in range(start + 40, start + 80)])) < 0.05


@virtual_time
async def test_a_gift_is_seen_on_her_face_before_she_thanks_and_nothing_unseemly_is() -> None:
    theatre = Theatre()
    gift = AudienceEvent(event_id="g", gift=Gift(count=1, value_fen=20_000))
    async with theatre.playing() as stage:
        room = await stage.open("a")
        with stage.joined(room) as renderer:
            for number, reason in enumerate((Decision.REASON_MODERATED, Decision.REASON_PAID)):
                await asyncio.sleep(1)
                decision = Decision(
                    room_id="a", event_id="g", outcome=Decision.OUTCOME_WAITING, reason=reason, event=gift
                )
                await theatre.bus.publish(
                    seal(topics.DECISIONS, decision, event_id=f"d{number}", room_id="a", source="test", now_ms=0)
                )
            await asyncio.sleep(2)
            frames = received(renderer)
    wide: dict[int, float] = {}
    for m in of("motion", frames):
        faces = np.frombuffer(m.face_f32le, "<f4").reshape(-1, SIZE)
        wide |= {m.start_sample // 400 + k: float(faces[k, INDEX["EyeWideLeft"]]) for k in range(m.frame_count)}
    assert max(wide[frame] for frame in range(118)) < 0.1
    assert max(wide[frame] for frame in range(120, 160)) > 0.4
