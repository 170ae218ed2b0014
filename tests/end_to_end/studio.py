"""Stills of her, drawn by the page's own figure and lights, in a browser but without a room."""

from __future__ import annotations

import base64
import io
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, Route

from services.motion.face import NAMES
from services.motion.joints import JOINTS
from tests.end_to_end.pages import PATIENCE_S, ROOT

WEB = ROOT / "services" / "stage" / "web"
BODY = ROOT / "services" / "stage" / "avatar" / "dist"
TOOLS = WEB / "build" / "tools"
ADDRESS = "http://studio.invalid"
"""Nothing leaves the browser: every request is answered here."""


@contextmanager
def tool(browser: Browser, name: str, body: bytes) -> Iterator[Page]:
    """A page that runs one of the page's tools (`window.NAME`) and finds a body at /lydia.vrm. Raises
    CalledProcessError where the tools cannot be built.
    """
    subprocess.run(["node", "build.mjs", "--tools"], cwd=WEB, check=True, timeout=PATIENCE_S)
    context = browser.new_context(viewport={"width": 400, "height": 400})
    try:
        page = context.new_page()
        page.set_default_timeout(PATIENCE_S * 1000)

        def answer(route: Route) -> None:
            if route.request.url.endswith(".vrm"):
                route.fulfill(body=body)
            elif route.request.url.endswith(".js"):
                route.fulfill(body=(TOOLS / f"{name}.js").read_bytes(), content_type="text/javascript")
            else:
                route.fulfill(body=f'<body><script type="module" src="/{name}.js"></script>', content_type="text/html")

        page.route(f"{ADDRESS}/**", answer)
        page.goto(ADDRESS)
        page.wait_for_function(f"window.{name}")
        yield page
    finally:
        context.close()


@contextmanager
def studio(browser: Browser, body: Path, quality: str = "full") -> Iterator[Page]:
    """A page in which she stands and waits for `take`."""
    with tool(browser, "studio", body.read_bytes()) as page:
        page.evaluate(
            "([names, joints, quality]) => window.studio.dress('/lydia.vrm', names, joints, quality)",
            [NAMES, [int(joint) for joint in JOINTS], quality],
        )
        yield page


def picture(data: str) -> Image.Image:
    """The picture in a data address."""
    return Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGBA")


def take(
    page: Page, pose: dict[str, Any], *, width: int, height: int, span: float = 1.0, yaw: float = 0
) -> Image.Image:
    """A picture with a transparent ground. `span`: its height below the top of her head, 1 down to the waist;
    `yaw`: how far she is turned to her left, in radians.
    """
    shot = {**pose, "yaw": yaw, "span": span, "width": width, "height": height}
    return picture(page.evaluate("shot => window.studio.take(shot)", shot))
