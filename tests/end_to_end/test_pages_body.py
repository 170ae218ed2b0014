"""Her file in other people's apps: three-vrm reads it without complaint, and every expression drives what it names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from services.stage.avatar.blendshapes import ARKIT_NAMES
from services.stage.avatar.vrm import preset_shapes
from tests.end_to_end.fake_stage import FakeStage
from tests.end_to_end.pages import PAGES, lydia, opened, until
from tests.end_to_end.studio import BODY, picture, tool
from tests.integration.avatar.glb import Glb

LITE = BODY / "lydia-lite.vrm"
PIXELS = 1000
"""Per metre."""
SEEN = 12
"""A pixel has changed when one of its colours has by so much of 255."""

Box = tuple[float, float, float, float]
"""Left, right (her left is +), bottom, top: metres from between her eyes."""
LEFT_EYE, RIGHT_EYE = (0.008, 0.06, -0.03, 0.035), (-0.06, -0.008, -0.03, 0.035)
EYES = (-0.06, 0.06, -0.03, 0.035)
LEFT_BROW, RIGHT_BROW = (0.0, 0.075, -0.02, 0.075), (-0.075, 0.0, -0.02, 0.075)
BROWS = (-0.075, 0.075, -0.02, 0.075)
LEFT_CHEEK, RIGHT_CHEEK = (0.0, 0.085, -0.085, 0.03), (-0.085, 0.0, -0.085, 0.03)
CHEEKS = (-0.085, 0.085, -0.15, 0.0)
MOUTH = (-0.07, 0.07, -0.15, -0.03)
LEFT_MOUTH, RIGHT_MOUTH = (-0.012, 0.07, -0.14, -0.025), (-0.07, 0.012, -0.14, -0.025)
NOSE = 0.02
"""Half its width."""
FACE = (-0.085, 0.085, -0.16, 0.08)
STALL = "GPU stall"
"""Reading pixels is slow in software, and the driver says so; that is no complaint of a library."""


def region(name: str) -> Box:
    """Where an ARKit shape may be seen."""
    left = name.endswith("Left") and name not in {"jawLeft", "mouthLeft"}
    right = name.endswith("Right") and name not in {"jawRight", "mouthRight"}
    if name.startswith("eye"):
        return LEFT_EYE if left else RIGHT_EYE
    if name.startswith("brow"):
        return LEFT_BROW if left else RIGHT_BROW if right else BROWS
    if name.startswith("cheekSquint"):
        return LEFT_CHEEK if left else RIGHT_CHEEK
    if name.startswith("noseSneer"):  # it takes the tip of the nose along
        return (-NOSE, *LEFT_CHEEK[1:]) if left else (RIGHT_CHEEK[0], NOSE, *RIGHT_CHEEK[2:])
    if name == "cheekPuff":
        return CHEEKS
    if left or right:
        return LEFT_MOUTH if left else RIGHT_MOUTH
    return MOUTH


class Opened:
    """Her file as three-vrm shows it."""

    def __init__(self, page: Page, complaints: list[str]) -> None:
        self.complaints = complaints
        self.names: list[str] = page.evaluate("window.reader.open('/lydia.vrm')")
        rest = Glb(LITE.read_bytes()).rest_positions()
        self._eyes = (rest["leftEye"] + rest["rightEye"]) / 2
        self._page = page
        self._rest = self.picture(None)

    def picture(self, expression: str | None) -> NDArray[np.int16]:
        left, right, bottom, top = FACE
        view = {
            "left": left + self._eyes[0],
            "right": right + self._eyes[0],
            "bottom": bottom + self._eyes[1],
            "top": top + self._eyes[1],
        }
        drawn = self._page.evaluate("args => window.reader.show(...args)", [expression, view, PIXELS])
        return np.asarray(picture(drawn).convert("RGB"), dtype=np.int16)

    def changed(self, expression: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Where the picture with the expression differs from the one without: metres from between her eyes."""
        rows, columns = np.nonzero(np.abs(self.picture(expression) - self._rest).max(-1) > SEEN)
        return FACE[0] + (columns + 0.5) / PIXELS, FACE[3] - (rows + 0.5) / PIXELS


@pytest.fixture(scope="module")
def body(browser: Browser) -> Iterator[Opened]:
    complaints: list[str] = []
    with tool(browser, "reader", LITE.read_bytes()) as page:
        page.on("console", lambda message: complaints.append(message.text) if STALL not in message.text else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield Opened(page, complaints)


def share_within(places: tuple[NDArray[Any], NDArray[Any]], box: Box) -> float:
    x, y = places
    left, right, bottom, top = box
    return float(np.mean((x > left) & (x < right) & (y > bottom) & (y < top)))


def test_three_vrm_opens_it_without_a_word(body: Opened) -> None:
    body.picture("happy")
    assert body.complaints == []


@pytest.mark.parametrize("name", ARKIT_NAMES)
def test_every_arkit_expression_is_seen_where_its_name_says(body: Opened, name: str) -> None:
    assert name in body.names
    places = body.changed(name)
    assert len(places[0]) > 20, "something is seen"
    assert share_within(places, region(name)) > 0.9


@pytest.mark.parametrize("name", sorted(preset_shapes()))
def test_every_vrm_expression_is_seen_where_its_name_says(body: Opened, name: str) -> None:
    assert name in body.names
    places = body.changed(name)
    if name == "neutral":
        assert len(places[0]) == 0
        return
    assert len(places[0]) > 20, "something is seen"
    if name in {"aa", "ih", "ou", "ee", "oh"}:
        assert share_within(places, MOUTH) > 0.9
    elif name.startswith("blink"):
        box = {"blinkLeft": LEFT_EYE, "blinkRight": RIGHT_EYE, "blink": EYES}[name]
        assert share_within(places, box) > 0.9
    elif name.startswith("look"):
        assert share_within(places, EYES) > 0.9
    else:
        assert share_within(places, MOUTH) > 0.1, "a mood shows in the mouth"
        assert share_within(places, BROWS) + share_within(places, LEFT_CHEEK) > 0.1, "and not only there"


def test_the_page_wears_it_without_a_complaint_of_the_libraries(browser: Browser) -> None:
    said: list[str] = []
    with (
        FakeStage(PAGES, BODY).running() as stage,
        opened(browser, f"{stage.url}/rooms/lydia", width=200, height=300) as page,
    ):
        page.on("console", lambda message: said.append(message.text) if message.type in {"warning", "error"} else None)
        until(lambda: lydia(page, "figure") in {"lydia", "lydia-lite"}, "she is there")
        drawn = lydia(page, "framesShown")
        until(lambda: lydia(page, "framesShown") > drawn + 2, "she is drawn")
        assert lydia(page, "missing") == []
    # A file of the settings is not there.
    assert [words for words in said if "404" not in words and STALL not in words] == []
