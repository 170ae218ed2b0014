"""`make picture`: the README's picture, taken of a real Lydia who answers real messages.

A machine without a graphics card draws her full body more slowly than the page would accept, and the page would step
down to the lite one. So the page is told that pictures follow each other quickly; nothing else is pretended.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from pathlib import Path

import httpx
from playwright.async_api import Page, async_playwright

from loadtests.process import Process, lydia
from tests.end_to_end.pages import FLAGS, SOUND_FLAG, own_browser

PICTURE = Path("services/stage/picture.png")
SIZE = {"width": 1280, "height": 720}
QUICK_AND_HELD = """
const next = requestAnimationFrame.bind(window), every = setInterval.bind(window);
let time = performance.now();
const speaks = () => lydia.mouth > 0.12 && document.querySelector("#caption").innerText.trim() !== "";
window.requestAnimationFrame = (draw) => next(function again() {
  if (window.held) return next(again);
  draw((time += 16));
  window.held = Boolean(window.wanted && window.lydia && speaks());
});
window.setInterval = (work, ms) => every(() => window.held || work(), ms);
"""
"""Once a picture is wanted, the page stands still as soon as one was drawn in which she speaks."""
MESSAGES = (
    ("小鱼", {"text": "你那儿的海还是蓝色的吗？"}),
    ("Mei", {"text": "What do you eat in 2112?"}),
    ("刷屏王", {"text": "加我微信 vx8866 领福利"}),
    ("老王", {"text": "海是蓝色的吗"}),
    ("阿岚", {"gift": {"name": "能量药丸", "count": 3, "value_fen": 3_000}}),
    ("Tom", {"text": "are you a robot?"}),
)
STORY = "给我讲个故事吧"
ENOUGH = 3
"""Pictures to choose the best of."""
WITHIN_S = 900.0


async def taken() -> bytes:
    """A PNG: the best of several in which she speaks, with her mouth open and a caption."""
    with tempfile.TemporaryDirectory(prefix="lydia-picture-") as folder:
        async with lydia(Path(folder) / "data") as process, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=own_browser(), args=[*FLAGS, SOUND_FLAG])
            page = await browser.new_page(viewport=SIZE, locale="zh-CN")  # type: ignore[arg-type]
            page.set_default_timeout(WITHIN_S * 1000)
            await page.add_init_script(QUICK_AND_HELD)
            await page.goto(f"http://{process.address}/rooms/lydia")
            while not await page.evaluate("window.lydia?.figure === 'lydia' && lydia.framesShown > 8"):
                await page.wait_for_timeout(1000)
            picture = await _best(page, process)
            await browser.close()
    return picture


def main(path: Path) -> None:
    path.write_bytes(asyncio.run(taken()))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


async def _best(page: Page, process: Process) -> bytes:
    best, widest = b"", 0.0
    deadline = time.monotonic() + WITHIN_S
    async with process.client() as client:
        for number in range(1, ENOUGH + 1):
            await _crowd(client, f"那{number}个")
            await page.evaluate("window.held = false, window.wanted = true")
            while not await page.evaluate("window.held"):
                if time.monotonic() > deadline:
                    raise TimeoutError("she was not seen speaking")
                await page.wait_for_timeout(300)
            mouth = float(await page.evaluate("lydia.mouth"))
            print(f"seen speaking {number} of {ENOUGH} times", flush=True)
            if mouth > widest:
                best, widest = await page.screenshot(type="png"), mouth
    return best


async def _crowd(client: httpx.AsyncClient, different: str) -> None:
    """Everybody writes at once. What was answered within two minutes would not be again, so it must differ."""
    for name, what in (*MESSAGES, ("星星", {"text": STORY + different})):
        body = {"viewer": {"id": name, "name": name}, **what}
        (await client.post("/rooms/lydia/messages", json=body)).raise_for_status()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
