"""What every way to reach models promises, as tests. `services.core.inference.port` says it in words.

An implementation joins with a class that inherits from InferenceContract and has two fixtures: `inference`, which
reaches the model `speech.puppet`, and `folder`, where that one writes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from services.core.events import TextSegment, VoiceChunk
from services.core.inference import Inference, ModelFailed
from tests.contract.listening import until

PUPPET = "speech.puppet"
PATIENCE_S = 10.0


def told(room: str = "room1", **orders: Any) -> TextSegment:
    """A request to the puppet."""
    return TextSegment(room_id=room, turn_id=f"turn of {room}", text=json.dumps(orders))


async def answers(inference: Inference, request: TextSegment, model: str = PUPPET) -> list[VoiceChunk]:
    """All of them."""
    async with asyncio.timeout(PATIENCE_S):
        return [answer async for answer in inference.stream(model, request, request_id="event1")]


async def until_noted(note: Path, what: str) -> None:
    """Waits until the puppet has written this."""

    async def noted() -> bool:
        return _text(note) == what

    await until(noted)


class InferenceContract:
    """Inherit, and define `inference`."""

    @pytest.fixture
    async def inference(self) -> AsyncIterator[Inference]:
        raise NotImplementedError
        yield

    async def test_answers_come_complete_and_in_order(self, inference: Inference) -> None:
        got = await answers(inference, told(answers=200))
        assert [answer.sequence for answer in got] == list(range(200))
        assert {(answer.room_id, answer.turn_id, len(answer.pcm_s16le)) for answer in got} == {
            ("room1", "turn of room1", 8)
        }

    async def test_answers_come_as_they_are_made(self, inference: Inference, folder: Path) -> None:
        async with asyncio.timeout(PATIENCE_S), aclosing(_stream(inference, told(answers=2, pause_s=0.3))) as stream:
            assert (await anext(stream)).sequence == 0
            assert _text(folder / "note") == "begun"
            assert (await anext(stream)).sequence == 1

    async def test_a_model_may_answer_nothing(self, inference: Inference) -> None:
        assert await answers(inference, told(answers=0)) == []

    async def test_requests_are_answered_side_by_side(self, inference: Inference) -> None:
        rooms = [f"room{number}" for number in range(20)]
        requests = [told(room, answers=5, pause_s=0.1, note=room) for room in rooms]
        got = await asyncio.gather(*(answers(inference, request) for request in requests))
        for room, heard in zip(rooms, got, strict=True):
            assert [(answer.room_id, answer.sequence) for answer in heard] == [(room, number) for number in range(5)]

    @pytest.mark.parametrize("size", [0, 1, 3_000_000])
    async def test_answers_may_be_empty_or_large(self, inference: Inference, size: int) -> None:
        got = await answers(inference, told(answers=3, bytes=size))
        assert [len(answer.pcm_s16le) for answer in got] == [size] * 3

    async def test_requests_may_be_large_and_say_anything(self, inference: Inference) -> None:
        text = "你好\0🎤" * 100_000
        (answer,) = await answers(inference, told(answers=1, filler=text))
        assert json.loads(answer.text)["filler"] == text

    # failures

    async def test_a_model_that_fails_has_failed_and_says_why(self, inference: Inference) -> None:
        with pytest.raises(ModelFailed, match="as it was told"):
            await answers(inference, told(answers=3, fails=0))
        assert len(await answers(inference, told(answers=3))) == 3, "it serves others"

    async def test_a_model_that_fails_later_has_failed_then(self, inference: Inference) -> None:
        got = []
        with pytest.raises(ModelFailed, match="as it was told"):
            async for answer in inference.stream(PUPPET, told(answers=3, fails=2), request_id="event1"):
                got.append(answer.sequence)  # noqa: PERF401
        assert got == [0, 1]

    @pytest.mark.parametrize("model", ["speech.nobody", "nobody", "", "speech.puppet.x"])
    async def test_a_model_that_nobody_knows_has_failed(self, inference: Inference, model: str) -> None:
        with pytest.raises(ModelFailed):
            await answers(inference, told(), model)
        assert not await inference.ready(model)

    async def test_a_model_says_whether_it_is_ready(self, inference: Inference, folder: Path) -> None:
        assert await inference.ready(PUPPET)
        (folder / "not-ready").touch()
        assert not await inference.ready(PUPPET)
        (folder / "not-ready").unlink()
        assert await inference.ready(PUPPET)

    # cancelling

    async def test_closing_the_iterator_stops_the_work(self, inference: Inference, folder: Path) -> None:
        async with aclosing(_stream(inference, told(answers=1000, pause_s=0.02))) as stream:
            async with asyncio.timeout(PATIENCE_S):
                await anext(stream)
        await until_noted(folder / "note", "closed")

    async def test_cancelling_the_one_who_waits_stops_the_work(self, inference: Inference, folder: Path) -> None:
        task = asyncio.create_task(answers(inference, told(answers=2, pause_s=60)))
        await until_noted(folder / "note", "begun")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until_noted(folder / "note", "closed")

    async def test_cancelling_one_leaves_the_others_alone(self, inference: Inference, folder: Path) -> None:
        async with asyncio.TaskGroup() as tasks:
            stays = tasks.create_task(answers(inference, told("room2", answers=30, pause_s=0.02, note="stays")))
            await until_noted(folder / "stays", "begun")
            async with aclosing(_stream(inference, told(answers=1000, pause_s=0.02))) as stream:
                async with asyncio.timeout(PATIENCE_S):
                    await anext(stream)
            await until_noted(folder / "note", "closed")
        assert len(stays.result()) == 30
        assert _text(folder / "stays") == "finished"


def _stream(inference: Inference, request: TextSegment) -> Any:
    return inference.stream(PUPPET, request, request_id="event1")


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""
