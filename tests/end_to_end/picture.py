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
from typing import Any

import httpx
from playwright.async_api import Page, async_playwright

from loadtests.process import Process, lydia
from tests.end_to_end.pages import FLAGS, SOUND_FLAG, own_browser

PICTURE = Path("services/stage/picture.png")
SIZE = {"width": 1280, "height": 720}
QUICK = """
const next = requestAnimationFrame.bind(window);
let time = performance.now();
window.requestAnimationFrame = (draw) => next(() => draw((time += 16)));
"""
MESSAGES = (
    ("小鱼", {"text": "你那儿的海还是蓝色的吗？"}),
    ("Mei", {"text": "What do you eat in 2112?"}),
    ("刷屏王", {"text": "加我微信 vx8866 领福利"}),
    ("老王", {"text": "海是蓝色的吗"}),
    ("阿岚", {"gift": {"name": "能量药丸", "count": 3, "value_fen": 3_000}}),
    ("Tom", {"text": "are you a robot?"}),
)
STORY = "给我讲个故事吧"
MOUTH_OPEN = 0.12
ENOUGH = 8
"""Pictures to choose the best of."""
WITHIN_S = 900.0


async def taken() -> bytes:
    """A PNG: the best of several in which she speaks, with her mouth open and a caption."""
    with tempfile.TemporaryDirectory(prefix="lydia-picture-") as folder:
        async with lydia(Path(folder) / "data") as process, async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=own_browser(), args=[*FLAGS, SOUND_FLAG])
            page = await browser.new_page(viewport=SIZE, locale="zh-CN")  # type: ignore[arg-type]
            page.set_default_timeout(WITHIN_S * 1000)
            await page.add_init_script(QUICK)
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
    best, widest, count = b"", 0.0, 0
    deadline = time.monotonic() + WITHIN_S
    async with process.client() as client:
        while count < ENOUGH:
            if time.monotonic() > deadline:
                raise TimeoutError("she was never seen speaking")
            if not await page.evaluate("lydia.turnId"):
                await _crowd(client)
            before = await _seen(page)
            picture = await page.screenshot(type="png")
            after = await _seen(page)
            open_mouth = min(before["mouth"], after["mouth"])
            if before["caption"] and before["caption"] == after["caption"] and open_mouth > MOUTH_OPEN:
                count += 1
                if open_mouth > widest:
                    best, widest = picture, open_mouth
    return best


async def _crowd(client: httpx.AsyncClient) -> None:
    for name, what in (*MESSAGES, ("星星", {"text": STORY})):
        body = {"viewer": {"id": name, "name": name}, **what}
        (await client.post("/rooms/lydia/messages", json=body)).raise_for_status()
    await asyncio.sleep(1)


async def _seen(page: Page) -> dict[str, Any]:
    return dict(
        await page.evaluate("({mouth: lydia.mouth, caption: document.querySelector('#caption').innerText.trim()})")
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE)
