"""Several rooms that speak at once and without an end: does every voice keep up with real time?"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import httpx
from prometheus_client.parser import text_string_to_metric_families
from rich.progress import Progress
from rich.table import Table

from loadtests.process import Process
from loadtests.renderer import Renderer, watching

STORIES = (
    "从前有一座山，山上有一座天文台，台里住着一个喜欢数星星的姑娘，她每天晚上都数到天亮。",
    "Once upon a time a girl lived in an observatory on a hill, and every night she counted the stars until dawn.",
    "有一天，天上多了一颗星，她数了三遍，还是多一颗，于是她给它写了一封信。",
    "The answer took ninety-seven years, and it was only one word, but she had become very good at waiting.",
)
PER_TURN = 4
"""Stories told in one turn; when it ends the next one begins."""
APART_S = 1.7
"""Between the rooms' beginnings."""
LOADING_S = 5.0
"""The natural voice loads while she is already there."""


async def rooms(process: Process, client: httpx.AsyncClient, count: int, seconds: float, progress: Progress) -> Table:
    """Lets her tell stories in `count` rooms for so long, none of them the same at the same time."""
    bar = progress.add_task(f"{count} rooms speak", total=round(seconds))
    async with AsyncExitStack() as stack:
        await asyncio.sleep(LOADING_S)
        heard = [await stack.enter_async_context(watching(process.address, f"story{k}")) for k in range(count)]
        async with asyncio.TaskGroup() as tasks:
            telling = [tasks.create_task(tell(client, room, k), name=f"story {k}") for k, room in enumerate(heard)]
            for _ in range(round(seconds)):
                await asyncio.sleep(1)
                progress.advance(bar)
            for task in telling:
                task.cancel()
        spoken = sum(room.voice_s for room in heard)
        gaps = sum(room.gaps for room in heard)
        longest = max(room.longest_gap_s for room in heard)
    metrics = (await client.get("/metrics")).text
    underruns = _value(metrics, "lydia_stage_underruns_total")
    rungs = Counter(status["speech_rung"] for status in (await client.get("/rooms")).json())
    table = Table(title=f"{count} rooms that speak at once for {seconds:.0f} s", title_justify="left")
    for name in (
        "voice s",
        "voice came too late",
        "holes in the stream",
        "the longest",
        "rung at the end",
        "made in, per s of sound",
    ):
        table.add_column(name, justify="right")
    shown = ", ".join(f"{rung} ×{count}" for rung, count in rungs.most_common())
    cost = ", ".join(f"{rung.removeprefix('speech.')} {factor:.2f} s" for rung, factor in _factors(metrics).items())
    table.add_row(f"{spoken:.0f}", f"{underruns:.0f}", str(gaps), f"{1000 * longest:.0f} ms", shown, cost)
    return table


async def tell(client: httpx.AsyncClient, room: Renderer, number: int) -> None:
    """One story after the other, as an operator would have her say it. The rooms do not begin together."""
    await asyncio.sleep(APART_S * number)
    text = " ".join(STORIES[(number + k) % len(STORIES)] for k in range(PER_TURN))
    while True:
        answer = await client.post(f"/rooms/{room.room_id}/control", json={"action": "say", "text": text[:500]})
        answer.raise_for_status()
        while not room.speaking:
            await room.wait(0.5)
        while room.speaking:
            await room.wait(0.5)


def _value(metrics: str, name: str) -> float:
    return sum(s.value for family in text_string_to_metric_families(metrics) for s in family.samples if s.name == name)


def _factors(metrics: str) -> dict[str, float]:
    """Rung → seconds of waiting for a second of its sound, mean over segments."""
    sums: dict[str, dict[str, float]] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            kind = sample.name.removeprefix("lydia_speech_real_time_ratio_")
            if kind in ("sum", "count"):
                sums.setdefault(sample.labels["rung"], {})[kind] = sample.value
    return {rung: both["sum"] / both["count"] for rung, both in sums.items() if both["count"]}
