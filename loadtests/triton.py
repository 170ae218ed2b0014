"""What a hop to Triton costs: the same models, asked in the own process and through the server on this machine.

`python -m loadtests.triton`. One request at a time, alternating between the two, so that both meet the same noise.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import uvloop
from google.protobuf.message import Message
from rich.console import Console

from deploy.local.triton import triton
from loadtests.bench import machine, table
from services.chat.meaning import Meaning
from services.chat.model.persona import PersonaChat
from services.chat.persona import load
from services.chat.retrieval import Retrieval
from services.core.events import ChatRequest, OperatorCause, TextSegment, Turn, VoiceChunk
from services.core.inference import Inference, InProcess
from services.core.inference.triton import TritonInference
from services.core.inference.triton_repository import lay_out, models
from services.core.moderation import Moderator
from services.core.settings import Triton as Settings
from services.motion.model.rules import Rules
from services.places import FITTED
from services.speech.espeak.client import espeak_client
from services.speech.model.espeak import EspeakSpeech

CHUNK_SAMPLES = 9_600
WARM_UP = 20


def chat(number: int) -> Message:
    """An operator's line: hardly any work for the model, so that little but the hop is left."""
    turn = Turn(
        room_id=f"room{number % 8}", turn_id=f"turn{number}", operator=OperatorCause(text="欢迎大家来到直播间。")
    )
    return ChatRequest(turn=turn)


def speech(number: int) -> Message:
    """A short clause."""
    return TextSegment(room_id=f"room{number % 8}", turn_id=f"turn{number}", text="幸会幸会。", last=True)


def motion(number: int) -> Message:
    """Chunk by chunk of turns of five, 0.4 s of sound each."""
    place = number % 5
    return VoiceChunk(
        room_id="room0",
        turn_id=f"turn{number // 5}",
        sequence=place,
        sample_rate=24_000,
        start_sample=place * CHUNK_SAMPLES,
        pcm_s16le=b"\x10\x20" * CHUNK_SAMPLES,
        last=place == 4,
    )


REQUESTS = {"chat.persona": chat, "speech.espeak": speech, "motion.rules": motion}


async def first_ms(inference: Inference, model: str, request: Message, number: int) -> float:
    """From the request to its first answer; the others are read too."""
    begun, first = time.perf_counter(), 0.0
    async for _ in inference.stream(model, request, request_id=f"event{number}"):
        first = first or time.perf_counter() - begun
    return first * 1000


async def measure(own: Inference, far: Inference, model: str, count: int) -> tuple[list[float], list[float]]:
    """First answers in the own process and through Triton, in milliseconds."""
    found: tuple[list[float], list[float]] = ([], [])
    for number in range(-WARM_UP, count):
        for inference, latencies in zip((own, far), found, strict=True):
            latency = await first_ms(inference, model, REQUESTS[model](number + WARM_UP), number)
            if number >= 0:
                latencies.append(latency)
    return found


@asynccontextmanager
async def in_process() -> AsyncIterator[Inference]:
    """As `lydia up` has them."""
    persona = load()
    async with espeak_client(processes=2) as client:
        yield InProcess(
            {
                "chat.persona": PersonaChat(persona, Retrieval(persona, Meaning(), FITTED), Moderator.built_in()),
                "speech.espeak": EspeakSpeech(client),
                "motion.rules": Rules(),
            }
        )


def rows(found: Mapping[str, tuple[list[float], list[float]]]) -> Iterator[tuple[str, list[float]]]:
    """Of the table."""
    for model, (own, far) in found.items():
        yield f"{model}, own process", own
        yield f"{model}, Triton", far


async def main(count: int) -> None:
    console = Console()
    console.print(machine())
    with tempfile.TemporaryDirectory(prefix="lydia-triton-") as folder:
        lay_out(Path(folder) / "repository", configurations=[models()[name] for name in REQUESTS])
        async with (
            in_process() as own,
            triton(Path(folder), Path(folder) / "repository") as server,
            TritonInference(Settings(servers=(server.grpc,))) as far,
        ):
            found = {model: await measure(own, far, model, count) for model in REQUESTS}
    console.print(table("From a request to its first answer", list(rows(found))))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="requests to each model (default 300)")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(parser.parse_args().count))
