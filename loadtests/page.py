"""The stage page over many minutes in a real browser: does she stay smooth, lean, and in step with her voice?

`python -m loadtests.page --minutes 10`. What leaves the page's audio graph is recorded there and found again in the
voice that the stage sent, so that the page's own clock is not believed. Needs the extra `dev` and Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import tempfile
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray
from playwright.async_api import CDPSession, Page, async_playwright
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from websockets.asyncio.client import connect

from loadtests.bench import machine
from loadtests.process import Process, lydia
from services.core.events import StageFrame
from tests.end_to_end.pages import FLAGS, SOUND_FLAG, own_browser

ROOM = "page"
RATE = 24_000
STORY = (
    "今天在天文台上看见一颗很亮的星星，我给它写了一封信，它还没有回答我，不过我很有耐心。",
    "Every night she counts the stars until dawn, and every morning one more of them has a name.",
)
PIECE = 6_000
"""Samples of recorded sound that are looked for in what was sent: a quarter of a second."""
AROUND = RATE
"""How far from the expected place they are looked for."""
ALIKE = 0.9
"""Correlation from which a place counts as found."""
LISTEN_EVERY_S = 2.0
Floats = NDArray[np.float32]

# Records what goes to the ears, and notes which pose was drawn when. Times are the page's own, in milliseconds.
TAP = r"""
(() => {
  const kept = 4 * 24000, ring = new Float32Array(kept);
  let context, end = 0;
  const draws = [];
  const worklet = `registerProcessor("tap", class extends AudioWorkletProcessor {
    process([input]) {
      const sound = input[0] ?? new Float32Array(128);
      this.port.postMessage([currentFrame, sound.slice()]);
      return true;
    }
  })`;
  const connect = AudioNode.prototype.connect;
  AudioNode.prototype.connect = function (to, ...rest) {
    if (to instanceof AudioDestinationNode && !context) {
      context = this.context;
      const url = URL.createObjectURL(new Blob([worklet], { type: "text/javascript" }));
      context.audioWorklet.addModule(url).then(() => {
        const tap = new AudioWorkletNode(context, "tap", { numberOfOutputs: 1, channelCount: 1 });
        tap.port.onmessage = ({ data: [frame, sound] }) => {
          for (let i = 0; i < sound.length; i++) ring[(frame + i) % kept] = sound[i];
          end = frame + sound.length;
        };
        connect.call(this, tap);
        connect.call(tap, context.destination);
      });
    }
    return connect.call(this, to, ...rest);
  };
  const frame = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (draw) => frame((time) => {
    const begun = performance.now();
    draw(time);
    const shown = window.lydia?.shownSample ?? -1;
    if (shown >= 0) draws.push([begun, performance.now(), shown]);
  });
  window.tapped = (length) => {
    if (!context || end < length) return null;
    const sound = new Int16Array(length), first = end - length;
    for (let i = 0; i < length; i++) sound[i] = Math.max(-1, Math.min(1, ring[(first + i) % kept])) * 32767;
    const { contextTime, performanceTime } = context.getOutputTimestamp();
    const bytes = new Uint8Array(sound.buffer);
    let text = "";
    for (const byte of bytes) text += String.fromCharCode(byte);
    // When sample `first` is heard, by the device's own clock.
    const heard = performanceTime + (first / context.sampleRate - contextTime) * 1000;
    return { sound: btoa(text), heard, expected: window.lydia.heardSample, now: performance.now(),
             draws: draws.splice(0) };
  };
})();
"""


@dataclass
class Sent:
    """The voice that the stage sent, by media sample."""

    first: int = 0
    sound: Floats = field(default_factory=lambda: np.zeros(0, dtype=np.float32))

    def take(self, data: bytes) -> None:
        """One message of the stage."""
        frame = StageFrame.FromString(data)
        if frame.WhichOneof("content") != "voice" or not frame.voice.pcm_s16le:
            return
        piece = np.frombuffer(frame.voice.pcm_s16le, dtype="<i2").astype(np.float32) / 32768
        if not len(self.sound):
            self.first = frame.voice.start_sample
        begin = frame.voice.start_sample - self.first
        if begin < 0:
            return
        missing = begin + len(piece) - len(self.sound)
        if missing > 0:
            self.sound = np.concatenate((self.sound, np.zeros(missing + 60 * RATE, dtype=np.float32)))
        self.sound[begin : begin + len(piece)] = piece

    def find(self, piece: Floats, near: int) -> int | None:
        """The media sample at which `piece` begins, looked for around `near`; None when it is not there for sure."""
        begin = near - self.first - AROUND
        if begin < 0 or begin + len(piece) + 2 * AROUND > len(self.sound) or np.square(piece).mean() < 1e-5:
            return None
        there = self.sound[begin : begin + len(piece) + 2 * AROUND].astype(np.float64)
        size = 1 << (len(there) + len(piece)).bit_length()
        spectrum = np.fft.rfft(there, size) * np.conj(np.fft.rfft(piece.astype(np.float64), size))
        likeness = np.fft.irfft(spectrum, size)[: 2 * AROUND]
        energy = np.cumsum(np.concatenate(([0.0], np.square(there))))
        power = energy[len(piece) : len(piece) + 2 * AROUND] - energy[: 2 * AROUND]
        likeness /= np.sqrt(np.maximum(power, 1e-9) * np.square(piece, dtype=np.float64).sum())
        best = int(likeness.argmax())
        return self.first + begin + best if likeness[best] > ALIKE else None


@dataclass
class Minute:
    """What was seen in one minute."""

    pictures: int = 0
    heap_mb: float = 0.0
    nodes: int = 0
    resident_mb: float = 0.0
    choosing_ms: list[float] = field(default_factory=list)
    """How far the pose was ahead of the sound that was heard at the moment of choosing it."""
    drawing_ms: list[float] = field(default_factory=list)
    """How long a picture took from choosing its pose until it was drawn."""


async def watch(minutes: float, voice: str, size: tuple[int, int]) -> tuple[list[Minute], str]:
    """One room that she tells stories in, seen by one page. Returns every minute, and the page's quality."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        process = await stack.enter_async_context(lydia(folder / "data", {"LYDIA_SPEECH__OWN_VOICE": voice}))
        client = await stack.enter_async_context(process.client())
        playwright = await stack.enter_async_context(async_playwright())
        browser = await playwright.chromium.launch(executable_path=own_browser(), args=[*FLAGS, SOUND_FLAG])
        stack.push_async_callback(browser.close)
        context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, bypass_csp=True)
        await context.add_init_script(TAP)
        page = await context.new_page()
        await page.goto(f"http://{process.address}/rooms/{ROOM}?layout=wide")
        await page.wait_for_function("window.lydia?.figure && window.lydia.sound === 'on'", timeout=120_000)
        async with asyncio.TaskGroup() as tasks:
            sent = Sent()
            others = [
                tasks.create_task(_listen(process, sent), name="what is sent"),
                tasks.create_task(_tell(client), name="stories"),
            ]
            found = await _minutes(page, await context.new_cdp_session(page), sent, minutes)
            quality = str(await page.evaluate("window.lydia.quality"))
            for task in others:
                task.cancel()
        return found, quality


async def _listen(process: Process, sent: Sent) -> None:
    url = f"ws://{process.address}/rooms/{ROOM}/stream"
    async with connect(url, max_size=None, compression=None) as socket:
        async for data in socket:
            if isinstance(data, bytes):
                sent.take(data)


async def _tell(client: httpx.AsyncClient) -> None:
    number = 0
    while True:
        with suppress(httpx.HTTPError):
            said = {"action": "say", "text": STORY[number % len(STORY)]}
            await client.post(f"/rooms/{ROOM}/control", json=said)
        number += 1
        await asyncio.sleep(7)


async def _minutes(page: Page, devtools: CDPSession, sent: Sent, minutes: float) -> list[Minute]:
    await devtools.send("Performance.enable")
    found: list[Minute] = []
    with Progress() as progress:
        bar = progress.add_task("the page", total=round(minutes * 60))
        while len(found) < minutes:
            minute, begun = Minute(), time.monotonic()
            before = await page.evaluate("window.lydia.framesShown")
            while time.monotonic() - begun < 60:
                await asyncio.sleep(LISTEN_EVERY_S)
                progress.advance(bar, LISTEN_EVERY_S)
                _compare(minute, await page.evaluate(f"window.tapped({PIECE})"), sent)
            minute.pictures = await page.evaluate("window.lydia.framesShown") - before
            await devtools.send("HeapProfiler.collectGarbage")
            metrics = {m["name"]: m["value"] for m in (await devtools.send("Performance.getMetrics"))["metrics"]}
            minute.heap_mb, minute.nodes = metrics["JSHeapUsedSize"] / 1e6, int(metrics["Nodes"])
            minute.resident_mb = _resident_mb()
            found.append(minute)
    return found


def _compare(minute: Minute, tapped: dict[str, Any] | None, sent: Sent) -> None:
    if tapped is None:
        return
    minute.drawing_ms += [done - begun for begun, done, _ in tapped["draws"]]
    piece: Floats = np.frombuffer(base64.b64decode(tapped["sound"]), dtype="<i2").astype(np.float32) / np.float32(32768)
    # The piece ends about where the page says that it is; only the neighbourhood is taken from it.
    at = sent.find(piece, round(tapped["expected"]) - len(piece) // 2)
    if at is None:
        return
    for begun, _, shown in tapped["draws"]:
        heard = at + (begun - tapped["heard"]) / 1000 * RATE
        if tapped["now"] - begun < 1000:  # the clock was the same then
            minute.choosing_ms.append((shown - heard) / RATE * 1000)


def _resident_mb() -> float:
    """Of the browser's largest process that draws pages."""
    sizes = [0.0]
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if b"--type=renderer" in status.read_bytes():
                pages = int((status.parent / "statm").read_text().split()[1])
                sizes.append(pages * 4096 / 1e6)
    return max(sizes)


def report(found: list[Minute], quality: str, voice: str, size: tuple[int, int]) -> Table:
    """One row a minute."""
    where = f"{size[0]} × {size[1]}, look: {quality}, voice: {voice}; {machine()}"
    table = Table(title=f"The page, minute by minute ({where})", title_justify="left")
    columns = ("minute", "pictures/s", "heap MB", "nodes", "resident MB", "pose − sound ms, median", "1 % … 99 %", "n")
    for name in (*columns, "drawing ms, median"):
        table.add_column(name, justify="right")
    for number, minute in enumerate(found, 1):
        offsets = np.array(minute.choosing_ms) if minute.choosing_ms else np.array([np.nan])
        low, middle, high = np.percentile(offsets, (1, 50, 99))
        table.add_row(
            str(number),
            f"{minute.pictures / 60:.1f}",
            f"{minute.heap_mb:.1f}",
            str(minute.nodes),
            f"{minute.resident_mb:.0f}",
            f"{middle:.1f}",
            f"{low:.1f} … {high:.1f}",
            str(len(minute.choosing_ms)),
            f"{np.median(minute.drawing_ms or [np.nan]):.1f}",
        )
    return table


def main() -> None:
    """Watches and prints."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.page", description="The stage page over many minutes.")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--voice", default="fast", help="hers on this machine: fast, lydia or lydia-soft")
    parser.add_argument("--size", default="320x180", help="of the window; software draws large ones slowly")
    given = parser.parse_args()
    width, _, height = given.size.partition("x")
    size = (int(width), int(height))
    found, quality = asyncio.run(watch(given.minutes, given.voice, size))
    Console(width=160).print(report(found, quality, given.voice, size))


if __name__ == "__main__":
    main()
