"""`python -m loadtests.ladder`: how soon she goes on with the next voice when the natural one cannot.

Each trouble gets a fresh `lydia up`: files missing or broken at the start; the natural voice hangs, breaks, or takes
twice as long as its sound lasts, either as a message comes or in the middle of a sentence; and more rooms that speak at
once than the machine can carry. Times are those of a renderer and of the operator's console.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import uvloop
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from websockets.asyncio.client import connect

from loadtests.bench import MANY_ROOMS, NO_IDLE_TALK, machine, stolen
from loadtests.load.faulty import BREAKS, FILES, HANGS, NATURALLY, SLOW
from loadtests.process import Process, lydia
from loadtests.renderer import Renderer, watching
from loadtests.rooms import LOADING_S, rooms
from services.core.events import StageFrame
from services.places import VOICE
from services.speech.natural.files import DECODER, ENCODER, SOURCE

MODULE = "loadtests.load.faulty"
SAYS = (
    "从前有一座山，山上有一座天文台，台里住着一个喜欢数星星的姑娘，她每天晚上都数到天亮。"
    "Once upon a time a girl lived in an observatory on a hill, and every night she counted the stars until dawn. "
    "有一天，天上多了一颗星，她数了三遍，还是多一颗，于是她给它写了一封信。"
    "The answer took ninety-seven years, and it was only one word, but she had become very good at waiting."
)
ASKS = "你平时下了播都干啥"
SPOKEN_S = 0.5
"""She has spoken so long when the trouble comes in the middle of a sentence."""
WAIT_S = 20.0
LATER_S = 8.0
"""How long one looks for holes after the step."""
FILE_TROUBLES = ("missing", "broken")
NATURAL = "natural"


@dataclass(frozen=True, slots=True)
class Step:
    """One step down. Seconds."""

    trouble: str
    first_s: float | None
    """From the message to the first voice, where a message came."""
    shown_s: float | None
    """From the trouble, or the message, until the console named the next rung."""
    hole_s: float
    """The longest silence inside the turn."""
    rung: str
    """The one that spoke in the end."""


class Desk:
    """What the operator's console is told about one room."""

    def __init__(self) -> None:
        self.rungs: list[tuple[float, str]] = []
        """When (`perf_counter`) a voice's rung was told, and which."""

    @property
    def rung(self) -> str:
        return self.rungs[-1][1] if self.rungs else ""

    def shown(self, since: float) -> float | None:
        """How long after a moment another rung than the natural one was told; None: not at all."""
        return next((at - since for at, rung in self.rungs if at >= since and rung != NATURAL), None)

    def take(self, data: bytes) -> None:
        """One message from the stage."""
        frame = StageFrame.FromString(data)
        content = frame.WhichOneof("content")
        status = frame.hello.status if content == "hello" else frame.status if content == "status" else None
        if status is not None and status.speech_rung and status.speech_rung != self.rung:
            self.rungs.append((time.perf_counter(), status.speech_rung))


@asynccontextmanager
async def at_desk(process: Process, room: str) -> AsyncIterator[Desk]:
    """The console of a room for as long as the context lasts."""
    desk = Desk()
    address = f"ws://{process.address}/rooms/{room}/stream?content=words"
    async with connect(address, max_size=None) as socket, asyncio.TaskGroup() as tasks:

        async def read() -> None:
            async for data in socket:
                if isinstance(data, bytes):
                    desk.take(data)

        reading = tasks.create_task(read(), name="console")
        yield desk
        reading.cancel()


async def files(trouble: str, folder: Path) -> Step:
    """The natural voice's files are missing or broken from the beginning."""
    voice = folder / f"voice-{trouble}"
    shutil.copytree(VOICE, voice, ignore=shutil.ignore_patterns(DECODER, SOURCE))
    if trouble == "missing":
        (voice / ENCODER).unlink()
    else:
        with (voice / ENCODER).open("r+b") as file:
            file.seek(1_000)
            file.write(b"?" * 10)
    async with _room(folder / trouble, {FILES: str(voice)}) as (client, room, desk):
        asked, first = await _ask(client, room)
        await _silence(room, desk)
        return Step(f"its files are {trouble}", first, desk.shown(asked), room.longest_gap_s, desk.rung)


async def at_a_message(trouble: str, folder: Path) -> Step:
    """The natural voice has trouble when it is to begin."""
    plant = folder / f"plant-{trouble}"
    async with _room(folder / f"message-{trouble}", {NATURALLY: str(plant)}) as (client, room, desk):
        plant.write_text(trouble)
        asked, first = await _ask(client, room)
        await _silence(room, desk)
        return Step(f"{_word(trouble)} as a message comes", first, desk.shown(asked), room.longest_gap_s, desk.rung)


async def in_a_sentence(trouble: str, folder: Path) -> Step:
    """The natural voice has trouble while she speaks with it."""
    plant = folder / f"plant-speaking-{trouble}"
    async with _room(folder / f"speaking-{trouble}", {NATURALLY: str(plant)}) as (client, room, desk):
        say = {"action": "say", "text": SAYS}
        (await client.post(f"/rooms/{room.room_id}/control", json=say)).raise_for_status()
        await _until(lambda: room.speaking and desk.rung == NATURAL, "she does not speak with the natural voice")
        await asyncio.sleep(SPOKEN_S)
        plant.write_text(trouble)
        since = time.perf_counter()
        await _silence(room, desk)
        return Step(f"{_word(trouble)} as she speaks", None, desk.shown(since), room.longest_gap_s, desk.rung)


async def crowded(count: int, folder: Path, progress: Progress) -> Table:
    """More rooms than the machine can carry."""
    settings = {"LYDIA_SPEECH__OWN_VOICE": "lydia", **NO_IDLE_TALK, **MANY_ROOMS}
    async with lydia(folder / "crowded", settings) as process, process.client() as client:
        return await rooms(process, client, count, 30 + 1.7 * count, progress)


@asynccontextmanager
async def _room(data: Path, faults: dict[str, str]) -> AsyncIterator[tuple[httpx.AsyncClient, Renderer, Desk]]:
    """A room of a Lydia with faults, its voice loaded, a renderer and a console."""
    settings = {"LYDIA_SPEECH__OWN_VOICE": "lydia", **NO_IDLE_TALK, **faults}
    async with AsyncExitStack() as stack:
        process = await stack.enter_async_context(lydia(data, settings, module=MODULE))
        client = await stack.enter_async_context(process.client())
        await asyncio.sleep(LOADING_S)
        room = await stack.enter_async_context(watching(process.address, "ladder"))
        desk = await stack.enter_async_context(at_desk(process, "ladder"))
        await asyncio.sleep(1)
        yield client, room, desk


async def _ask(client: httpx.AsyncClient, room: Renderer) -> tuple[float, float]:
    """When a message was sent, and how long it took until the first voice of its answer."""
    asked = time.perf_counter()
    body = {"viewer": {"id": "mei", "name": "Mei"}, "text": ASKS}
    answer = (await client.post(f"/rooms/{room.room_id}/messages", json=body)).raise_for_status()
    event = str(answer.json()["event_id"])
    await _until(lambda: event in room.first_voice, "she does not answer")
    return asked, room.first_voice[event] - asked


async def _silence(room: Renderer, desk: Desk) -> None:
    """Until she has said it all, or has gone on for a while with another voice."""
    deadline = time.perf_counter() + WAIT_S
    while room.speaking and time.perf_counter() < deadline:
        await room.wait(0.2)
        stepped = desk.shown(0)
        if stepped is not None and time.perf_counter() - stepped > LATER_S:
            return


async def _until(done: Callable[[], bool], otherwise: str) -> None:
    deadline = time.perf_counter() + WAIT_S
    while not done():
        if time.perf_counter() > deadline:
            raise RuntimeError(otherwise)
        await asyncio.sleep(0.01)


def _word(trouble: str) -> str:
    return f"it is {trouble}" if trouble == SLOW else f"it {trouble}"


def table(steps: list[Step]) -> Table:
    """A row for each step."""
    drawn = Table(title="The natural voice cannot: seconds", title_justify="left")
    drawn.add_column("")
    for name in ("message → first voice", "→ on the console", "longest silence in the turn", "went on with"):
        drawn.add_column(name, justify="right")
    for step in steps:
        shown = ["" if value is None else f"{value:.2f}" for value in (step.first_s, step.shown_s, step.hole_s)]
        drawn.add_row(step.trouble, *shown, step.rung)
    return drawn


async def main(given: argparse.Namespace) -> None:
    """Runs everything and prints the tables."""
    console = Console()
    console.print(machine(), f"load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="lydia-ladder-") as name, stolen(console):
        folder = Path(name)
        steps = [await files(trouble, folder) for trouble in FILE_TROUBLES]
        for trouble in (HANGS, BREAKS, SLOW):
            steps += [await at_a_message(trouble, folder), await in_a_sentence(trouble, folder)]
        console.print(table(steps))
        if given.rooms:
            with Progress(console=console) as progress:
                console.print(await crowded(given.rooms, folder, progress))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rooms", type=int, default=24, help="that speak at once; 0: not tried (%(default)s)")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(parser.parse_args()))
