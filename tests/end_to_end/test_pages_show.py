"""The show as viewers and OBS see it: layouts, scenes, gifts, who is next."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser

from services.core.events import (
    LANE_CHAT,
    LANE_PAID,
    AudienceCause,
    AudienceEvent,
    Chat,
    Decision,
    Gift,
    StageFrame,
    Turn,
    Viewer,
)
from tests.end_to_end.fake_stage import LABEL, FakeStage
from tests.end_to_end.pages import PAGES, check_label, lydia, opened, until


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[FakeStage]:
    with FakeStage(PAGES, tmp_path).running() as running:
        yield running


def said(event_id: str, name: str, text: str) -> AudienceEvent:
    return AudienceEvent(event_id=event_id, room_id="lydia", viewer=Viewer(id=name, name=name), chat=Chat(text=text))


def waits(event: AudienceEvent) -> StageFrame:
    lane = LANE_PAID if event.HasField("gift") else LANE_CHAT
    outcome = Decision.OUTCOME_WAITING
    return StageFrame(
        decision=Decision(
            decision_id=event.event_id, event_id=event.event_id, outcome=outcome, lane=lane, score=1, event=event
        )
    )


def gave(event_id: str, name: str, gift: str, yuan: int) -> AudienceEvent:
    given = Gift(gift_id=gift, name=gift, count=1, value_fen=100 * yuan)
    return AudienceEvent(event_id=event_id, room_id="lydia", viewer=Viewer(id=name, name=name), gift=given)


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


def test_gifts_are_seen_by_their_value_and_calmly_by_who_wants_calm(browser: Browser, stage: FakeStage) -> None:
    stage.history = [waits(gave("before", "老王", "旧礼物", 500))]
    with opened(browser, f"{stage.url}/rooms/lydia?layout=vertical", width=270, height=480) as page:
        pieces, banners, following = page.locator(".piece"), page.locator(".banner"), page.locator("#next")
        # All pieces that ever were: they leave by themselves, on a slow machine before they are counted.
        page.evaluate(
            """() => { window.pieces = 0; window.most = 0;
            const air = document.querySelector("#air");
            new MutationObserver((changes) => {
              for (const { addedNodes } of changes) window.pieces += addedNodes.length;
              window.most = Math.max(window.most, air.children.length);
            }).observe(air, { childList: true }); }"""
        )
        until(lambda: lydia(page, "figure"), "she is there")
        assert "老王" in following.inner_text(), "who waits is known, whenever they came"
        assert pieces.count() == banners.count() == 0, "what was before is not celebrated again"

        stage.send(waits(gave("small", "小鱼", "小心心", 1)), waits(said("chat", "Tom", "hi")))
        until(lambda: page.evaluate("pieces") == 4, "a few hearts for a small gift")
        assert banners.count() == 0
        assert following.inner_text() == "接下来：老王、小鱼 等 3 人"

        for _ in range(2):
            stage.send(waits(gave("big", "阿岚", "星舰", 100)))
        until(lambda: banners.count() == 1, "the giver of a big one is named, once")
        assert "阿岚" in banners.inner_text() and "星舰" in banners.inner_text()
        stage.send(*(waits(gave(f"more {i}", "阿岚", "星舰", 100)) for i in range(20)))
        until(lambda: banners.count() == 2, "no more than two names at once")
        until(lambda: page.evaluate("pieces") > 44, "a shower")
        assert page.evaluate("most") <= 64

        until(lambda: pieces.count() == banners.count() == 0, "all is over")
        page.emulate_media(reduced_motion="reduce")
        flown = page.evaluate("pieces")
        stage.send(waits(gave("calm", "阿岚", "星舰", 100)))
        until(lambda: banners.count() == 1, "the name")
        assert page.evaluate("pieces") == flown, "nothing flies"
