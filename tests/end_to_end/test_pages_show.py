"""The show as viewers and OBS see it: layouts, scenes, gifts, who is next."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from services.core.events import AudienceCause, AudienceEvent, Chat, Turn, Viewer
from tests.end_to_end.fake_stage import LABEL, FakeStage
from tests.end_to_end.pages import PAGES, check_label, lydia, opened, until


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[FakeStage]:
    with FakeStage(PAGES, tmp_path).running() as running:
        yield running


def said(event_id: str, name: str, text: str) -> AudienceEvent:
    return AudienceEvent(event_id=event_id, room_id="lydia", viewer=Viewer(id=name, name=name), chat=Chat(text=text))


@pytest.mark.parametrize(
    ("layout", "width", "height", "top", "bottom"),
    [("vertical", 270, 480, 0.15, 0.3), ("wide", 480, 270, 0, 0), ("bare", 480, 270, 0, 0)],
)
def test_a_layout_shows_her_the_caption_and_the_label_and_nothing_to_press(
    browser: Browser, stage: FakeStage, layout: str, width: int, height: int, top: float, bottom: float
) -> None:
    """`top` and `bottom` are the shares of the picture over which platforms draw."""
    event = said("e1", "小鱼", "海还是蓝色的吗？")
    with opened(browser, f"{stage.url}/rooms/lydia?layout={layout}", width=width, height=height) as page:
        until(lambda: lydia(page, "figure"), "she is there")
        frames = lydia(page, "framesShown")
        stage.perform(
            Turn(turn_id="t", room_id="lydia", epoch=1, audience=AudienceCause(events=[event])), "蓝得发亮呢。", 60
        )
        until(lambda: page.locator("#caption").is_visible(), "the caption")
        until(lambda: lydia(page, "framesShown") > frames + 1, "she is drawn")
        check_label(page, LABEL, width, height)
        for words in page.locator("#label, #caption, #whom").all():
            if box := words.bounding_box():
                assert box["x"] >= 0 and box["x"] + box["width"] <= width
                assert box["y"] >= top * height and box["y"] + box["height"] <= (1 - bottom) * height
        answered = page.locator("#whom")
        assert answered.is_hidden() if layout == "bare" else "小鱼" in answered.inner_text()
        controls = page.locator("button, input").all()
        assert controls and not any(control.is_visible() for control in controls)
        picture = Image.open(io.BytesIO(page.screenshot(omit_background=True))).convert("RGBA")
    opacity = picture.getchannel("A").getpixel
    assert opacity((picture.width - 5, 5)) == (0 if layout == "bare" else 255), "only the bare picture has no ground"
    assert opacity((picture.width // 2, picture.height // 2)) == 255, "she herself is solid"


def test_a_layout_that_is_none_and_a_broken_scene_are_told_of_and_she_is_there(
    browser: Browser, stage: FakeStage
) -> None:
    with opened(browser, "about:blank", width=240, height=320, locale="en-US") as page:
        page.route("**/assets/scenes/mine.json", lambda route: route.fulfill(body='{"hour": 99, "light": {}}'))
        page.goto(f"{stage.url}/rooms/lydia?scene=mine")
        until(
            lambda: "mine.json: hour: a number from 0 to 24" in (page.locator("#notice").text_content() or ""),
            "the reason",
        )
        until(lambda: lydia(page, "figure"), "she is seen")
        page.goto(f"{stage.url}/rooms/lydia?scene=missing")
        until(
            lambda: "missing.json: there is no such file" in (page.locator("#notice").text_content() or ""),
            "the reason",
        )
        page.goto(f"{stage.url}/rooms/lydia?layout=tall&scene=dawn")
        until(lambda: "no layout “tall”" in (page.locator("#notice").text_content() or ""), "the layout's name")
        assert page.locator("#writer").is_visible()
    assert "/assets/scenes/dawn.json" in stage.requests
