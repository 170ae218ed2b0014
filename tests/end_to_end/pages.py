"""Opens the built pages in a real browser."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Playwright

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "services" / "stage" / "web" / "dist"
PATIENCE_S = 120.0
"""The browser draws in software on a machine that may be busy; nothing here is a measurement of speed."""
FLAGS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
SOUND_FLAG = "--autoplay-policy=no-user-gesture-required"


def own_browser() -> str | None:
    """The machine's own Chromium; None leaves it to playwright, which may have installed one."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def chromium(playwright: Playwright, *flags: str) -> Iterator[Browser]:
    """A headless Chromium."""
    browser = playwright.chromium.launch(executable_path=own_browser(), args=[*FLAGS, *flags])
    try:
        yield browser
    finally:
        browser.close()


@contextmanager
def opened(browser: Browser, url: str, *, width: int = 390, height: int = 844, locale: str = "zh-CN") -> Iterator[Page]:
    """A page in a context of its own. Fails when the page logged an error or broke its content security policy."""
    # Dense like a phone's screen: the page then draws without smoothing, which costs software most.
    context = browser.new_context(viewport={"width": width, "height": height}, locale=locale, device_scale_factor=2)
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: wrong.append(message.text) if "Content Security Policy" in message.text else None,
    )
    page.set_default_timeout(PATIENCE_S * 1000)
    try:
        page.goto(url)
        yield page
        assert wrong == []
    finally:
        context.close()


def until(condition: Callable[[], Any], what: str) -> Any:
    """Asks until the answer is true, and returns it."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"never happened: {what}")


def lydia(page: Page, *names: str) -> Any:
    """Values of `window.lydia`, all read at one moment; one alone comes without a list."""
    values = page.evaluate("names => window.lydia && names.map(name => window.lydia[name])", list(names))
    return values[0] if values and len(names) == 1 else values


def check_label(page: Page, words: str, width: int, height: int) -> None:
    """The label says what it must, as large as it must, inside the picture, and nothing lies over it."""
    label = page.locator("#label-text")
    assert label.inner_text() == words and label.is_visible()
    size = float(label.evaluate("e => parseFloat(getComputedStyle(e).fontSize)"))
    # Chinese characters fill about nine tenths of their font size.
    assert 0.9 * size >= 0.05 * min(width, height)
    box = label.bounding_box()
    assert box is not None
    assert min(box["x"], box["y"]) >= 0
    assert box["x"] + box["width"] <= width and box["y"] + box["height"] <= height
    layers = page.locator("body *").evaluate_all("all => all.map(e => Number(getComputedStyle(e).zIndex) || 0)")
    layer = page.locator("#label").evaluate("e => Number(getComputedStyle(e).zIndex)")
    assert layers.count(layer) == 1 and max(layers) == layer
