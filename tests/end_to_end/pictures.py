"""`make pictures`: one contact sheet of her, to be looked at critically.

Poses, mouths and gestures come out of the motion rules, the figure and its light are the page's. The three layouts are
the page itself.
"""

from __future__ import annotations

import asyncio
import base64
import html
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from services.core import events
from services.core.events import (
    AudienceCause,
    AudienceEvent,
    Chat,
    Emotion,
    Gesture,
    StageFrame,
    StageMotion,
    Turn,
    Viewer,
)
from services.motion.frames import Frames, to_bytes
from tests.end_to_end import poses
from tests.end_to_end.fake_stage import FRAME, RATE, FakeStage
from tests.end_to_end.pages import PAGES, PATIENCE_S, SOUND_FLAG, chromium
from tests.end_to_end.studio import BODY, studio, take

SHEET = Path("services/stage/pictures.jpg")
WIDTH, QUALITY = 1920, 82
MOST_BYTES = 1_000_000
QUICK = """
const next = requestAnimationFrame.bind(window);
let time = performance.now();
window.requestAnimationFrame = (draw) => next(() => draw((time += 16)));
"""
"""A machine without a graphics card would step down; the page is told that pictures follow each other quickly."""
LAYOUTS = {"vertical": (540, 960), "wide": (1280, 720), "bare": (640, 640)}
"""Width and height of the window, in pixels."""
TURNS = {
    "front 正面": 0.0,
    "three-quarter 四分之三": 0.7,
    "profile 侧面": 1.57,
    "back 背面": 3.14,
}
SPOKEN_S = 60
AHEAD_S = 6
CAPTION = "Virtual, from the code to the fringe."


class HeldStage(FakeStage):
    """A room in which she stands still."""

    def __init__(self, pages: Path, bodies: Path, pose: Frames) -> None:
        super().__init__(pages, bodies)
        self.speaking = False
        self._pose = pose

    async def _play(self, frames: asyncio.Queue[StageFrame | None]) -> None:
        """Far ahead, so that a page that draws slowly still shows this pose and does not move by itself."""
        count = int(AHEAD_S * RATE / FRAME)
        face, joints = to_bytes(Frames(*(np.repeat(part, count, 0) for part in self._pose)))
        while True:
            start = self.now() // FRAME * FRAME
            held = StageMotion(
                start_sample=start, frame_count=count, face_f32le=face, joints_f32le=joints, epoch=self.epoch
            )
            frames.put_nowait(StageFrame(motion=held))
            await asyncio.sleep(AHEAD_S / 3)


def layouts(browser: Browser, done: Callable[[], None]) -> dict[str, Image.Image]:
    """The three layouts of the page, each in a window of its own shape."""
    asked = AudienceEvent(
        event_id="asked", room_id="lydia", viewer=Viewer(id="tom", name="Tom"), chat=Chat(text="are you a robot?")
    )
    turn = Turn(turn_id="turn", epoch=1, audience=AudienceCause(events=[asked]))
    found = {}
    for name, (width, height) in LAYOUTS.items():
        with HeldStage(PAGES, BODY, poses.sound("a", events.EMOTION_JOY)).running() as stage:
            page = browser.new_page(viewport={"width": width, "height": height}, locale="zh-CN")
            page.set_default_timeout(4 * PATIENCE_S * 1000)
            page.add_init_script(QUICK)
            page.goto(f"{stage.url}/rooms/lydia?layout={name}")
            _wait(page, "lydia?.figure === 'lydia' && lydia.byHerself < 0.05")
            stage.perform(turn, CAPTION, seconds=SPOKEN_S)
            _wait(page, "document.querySelector('#caption span')?.innerText.length > 3")
            picture = page.screenshot(omit_background=True)
            page.close()
        found[name] = Image.open(io.BytesIO(picture)).convert("RGBA")
        done()
    return found


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    columns = (TextColumn("Pictures"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.update(task, advance=1)


def stills(page: Page, done: Callable[[], None]) -> dict[str, list[tuple[str, list[Image.Image]]]]:
    """Title of a row → name of each cell and its pictures."""

    def shot(
        frames: Frames,
        width: int,
        height: int,
        span: float,
        yaw: float = 0.0,
        gesture: Gesture = events.GESTURE_UNSPECIFIED,
    ) -> Image.Image:
        picture = take(page, poses.row(frames, gesture), width=width, height=height, span=span, yaw=yaw)
        done()
        return picture

    resting = poses.resting()
    return {
        "Views 视角": [
            (name, [shot(resting, 400, 468, 0.62, yaw), shot(resting, 234, 468, 2.62, yaw)])
            for name, yaw in TURNS.items()
        ],
        "Emotions 情绪": [
            (_word(Emotion.Name(which)), [shot(poses.mood(which), 340, 370, 0.6)]) for which in poses.MOODS
        ],
        "Mouths 口型": [
            (f"[{ipa}]" if ipa else "rest", [_face(shot(poses.sound(ipa), 320, 416, 0.46))]) for ipa in poses.SOUNDS
        ],
        "Gestures 动作": [
            (
                _word(Gesture.Name(which)),
                [shot(frames, 280, 350, 1.4, gesture=which) for frames in poses.gesture(which)],
            )
            for which in poses.ACTS
        ],
    }


def sheet(browser: Browser, rows: dict[str, Any], shown: dict[str, Image.Image]) -> bytes:
    """Everything on one page, as a JPEG."""
    cells = "".join(
        f"<h2>{title}</h2><section class='n{len(cells)}'>"
        + "".join(
            f"<figure><div>{''.join(_img(picture) for picture in pictures)}</div><figcaption>{html.escape(name)}"
            "</figcaption></figure>"
            for name, pictures in cells
        )
        + "</section>"
        for title, cells in rows.items()
    )
    layouts = "".join(
        f"<figure><div>{_img(p)}</div><figcaption>{name}</figcaption></figure>" for name, p in shown.items()
    )
    page = browser.new_page(viewport={"width": WIDTH, "height": 1000})
    page.set_content(f"<style>{STYLE}</style><h2>Layouts 布局</h2><section class=layouts>{layouts}</section>{cells}")
    data = page.screenshot(type="jpeg", quality=QUALITY, full_page=True)
    page.close()
    return data


STYLE = """
body { margin: 0; padding: 12px 24px 24px; background: #14142a; color: #e8e8ff; font: 15px sans-serif }
h2 { font-size: 19px; font-weight: 600; margin: 14px 0 8px }
section { display: grid; gap: 8px }
figure { margin: 0 }
figure div { display: flex; border-radius: 8px; overflow: hidden; background: linear-gradient(#3c4170, #8a6288) }
figure img { display: block; flex: 1 1 0; min-width: 0; width: 0 }
figcaption { text-align: center; padding: 2px; opacity: .85 }
.layouts { grid-template-columns: 9fr 28.4fr 16fr }
.n4 { grid-template-columns: repeat(4, 1fr) }
.n4 img:first-child { flex: 480 1 0 } .n4 img { flex: 280 1 0 }
.n8 { grid-template-columns: repeat(8, 1fr) }
.n14 { grid-template-columns: repeat(7, 1fr) }
.n10 { grid-template-columns: repeat(5, 1fr) }
"""


def _img(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return f"<img src='data:image/png;base64,{base64.b64encode(stream.getvalue()).decode()}'>"


def _face(picture: Image.Image) -> Image.Image:
    """From the eyes to the chin."""
    width, height = picture.size
    return picture.crop((int(0.16 * width), int(0.34 * height), int(0.84 * width), int(0.86 * height)))


def _wait(page: Page, condition: str) -> None:
    """Asks seldom: each question costs time that she could be drawn in."""
    while not page.evaluate(f"Boolean({condition})"):
        page.wait_for_timeout(1000)


def _word(name: str) -> str:
    return name.partition("_")[2].lower()


def main(path: Path) -> None:
    count = len(LAYOUTS) + 2 * len(TURNS) + len(poses.MOODS) + len(poses.SOUNDS) + 3 * len(poses.ACTS)
    with sync_playwright() as playwright, chromium(playwright, SOUND_FLAG) as browser, progress(count) as done:
        with studio(browser, BODY / "lydia.vrm") as page:
            rows = stills(page, done)
        data = sheet(browser, rows, layouts(browser, done))
    if len(data) > MOST_BYTES:
        raise SystemExit(f"the sheet has {len(data)} bytes, more than {MOST_BYTES}. Mend: lower QUALITY or WIDTH")
    path.write_bytes(data)
    print(f"{path}: {len(data) / 1e6:.2f} MB")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else SHEET)
