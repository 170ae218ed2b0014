"""The stage page in a real browser, against a server that speaks the protocol and lies about nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Playwright

from services.core.events import (
    LANE_CHAT,
    AudienceCause,
    AudienceEvent,
    Chat,
    Decision,
    StageFrame,
    Turn,
    Viewer,
)
from services.motion.face import ARKIT_NAMES, SHAPES
from tests.end_to_end.fake_stage import LABEL, RATE, FakeStage, loudness
from tests.end_to_end.pages import PAGES, check_label, chromium, lydia, opened, until
from tests.end_to_end.tiny_vrm import tiny_vrm

NASTY = '<img src=x onerror="document.title=1"><b>粗体</b>'


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[FakeStage]:
    with FakeStage(PAGES, tmp_path).running() as running:
        yield running


def said(event_id: str, name: str, text: str) -> AudienceEvent:
    return AudienceEvent(event_id=event_id, room_id="lydia", viewer=Viewer(id=name, name=name), chat=Chat(text=text))


def decision(event: AudienceEvent, outcome: Decision.Outcome, reason: Decision.Reason) -> Decision:
    return Decision(
        decision_id=f"{event.event_id}-{outcome}",
        room_id="lydia",
        event_id=event.event_id,
        outcome=outcome,
        reason=reason,
        lane=LANE_CHAT,
        event=event,
    )


def alive(page: Page) -> None:
    """Waits until she is seen and heard, and moves as the room says and no longer by herself."""
    until(lambda: lydia(page, "figure") and lydia(page, "shownSample") > 0, "she is seen")
    until(lambda: lydia(page, "sound") == "on" and lydia(page, "energy") > 0.05, "she is heard")
    until(lambda: in_step(*lydia(page, "shownSample", "jawOpen")), "her jaw follows the room")


def in_step(shown: float, jaw: float) -> bool:
    """Whether this pose belongs to this sample."""
    return bool(abs(jaw - 0.6 * loudness(shown)) < 0.02)


def test_her_voice_is_heard_and_her_mouth_follows_it(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia") as page:
        alive(page)
        seen: list[list[float]] = []

        def enough() -> bool:
            *reading, by_herself = lydia(
                page, "shownSample", "jawOpen", "heardSample", "energy", "driftMs", "byHerself"
            )
            # A machine that stood still for a moment leaves her without frames, and she moves by herself until they
            # are back.
            if not by_herself:
                seen.append(reading)
            return len(seen) >= 100

        until(enough, "a hundred readings of poses that are all the room's")
    shown, jaw, heard, energy, drift = np.array(seen).T
    assert np.abs(jaw - 0.6 * loudness(shown)).max() < 0.02, "the pose belongs to its sample"
    # A tone of amplitude a has energy a/√2; the window of the measurement lies just behind what is heard now.
    expected = 0.5 * loudness(heard) / np.sqrt(2)
    assert np.corrcoef(energy, expected)[0, 1] > 0.9
    assert energy.max() > 0.2 and jaw.max() > 0.4, "the comparison saw a loud moment"
    assert (np.abs(drift) < 250).all()


def test_the_ai_label_is_large_enough_inside_the_picture_and_on_top(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia") as page:
        for width, height in ((390, 844), (844, 390), (1280, 720), (320, 568)):
            page.set_viewport_size({"width": width, "height": height})
            check_label(page, LABEL, width, height)


def test_the_label_stays_when_the_server_is_gone_or_sends_none(browser: Browser, stage: FakeStage) -> None:
    stage.label = ""
    with opened(browser, f"{stage.url}/rooms/lydia") as page:
        assert page.locator("#label-text").inner_text() == LABEL
        until(lambda: lydia(page, "connection") == "live", "connected")
        assert page.locator("#label-text").inner_text() == LABEL


def test_a_stop_silences_her_and_closes_her_mouth(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia") as page:
        alive(page)
        told = stage.stop()
        until(lambda: lydia(page, "stoppedAtMs"), "the page obeyed")
        until(lambda: lydia(page, "energy") < 1e-4, "silence")
        until(lambda: lydia(page, "jawOpen") < 0.01, "mouth closed")
        assert lydia(page, "epoch") == stage.epoch
        assert lydia(page, "stoppedAtMs") / 1000 - told < 2
        time.sleep(0.5)
        assert lydia(page, "energy") < 1e-4


def test_captions_and_the_answered_viewer_are_shown_in_time(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia") as page:
        alive(page)
        event = said("e1", "小鱼", "海还是蓝色的吗？")
        stage.send(StageFrame(decision=decision(event, Decision.OUTCOME_CHOSEN, Decision.REASON_BEST_SCORE)))
        turn = Turn(turn_id="t1", room_id="lydia", epoch=1, audience=AudienceCause(events=[event]))
        stage.perform(turn, "蓝得发亮呢。", seconds=60)
        until(lambda: page.locator("#caption").inner_text() == "蓝得发亮呢。", "the caption")
        assert "小鱼" in page.locator("#whom").inner_text()
        assert lydia(page, "turnId") == "t1"
        until(lambda: page.locator("#feed [aria-current]").count() == 1, "the answered message stands out")


def test_choices_and_drops_are_listed_with_their_reasons(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia", locale="en-US") as page:
        until(lambda: lydia(page, "connection") == "live", "connected")
        asked, spam, bad = said("a", "Mei", "Are you real?"), said("b", "Ann", "hahaha"), said("c", "Bob", "unsayable")
        for what, outcome, reason in (
            (asked, Decision.OUTCOME_WAITING, Decision.REASON_UNSPECIFIED),
            (asked, Decision.OUTCOME_CHOSEN, Decision.REASON_BEST_SCORE),
            (spam, Decision.OUTCOME_DROPPED, Decision.REASON_FLOODING),
            (bad, Decision.OUTCOME_DROPPED, Decision.REASON_MODERATED),
        ):
            stage.send(StageFrame(decision=decision(what, outcome, reason)))
        until(lambda: page.locator("#feed li").count() == 3, "one entry an event")
        entries = page.locator("#feed li").all_inner_texts()
        tones = page.locator("#feed li").evaluate_all("items => items.map(item => item.dataset.tone)")
    assert "Are you real?" in entries[0] and "she answers · best score" in entries[0]
    assert "wrote too often" in entries[1]
    assert "unsayable" not in entries[2] and "not for this room" in entries[2]
    assert tones == ["chosen", "dropped", "dropped"]


def test_what_viewers_write_is_never_html(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia") as page:
        until(lambda: lydia(page, "connection") == "live", "connected")
        event = said("x", NASTY, NASTY)
        stage.send(StageFrame(decision=decision(event, Decision.OUTCOME_CHOSEN, Decision.REASON_BEST_SCORE)))
        stage.perform(Turn(turn_id="t", room_id="lydia", epoch=1, audience=AudienceCause(events=[event])), NASTY, 60)
        until(lambda: page.locator("#caption").inner_text() == NASTY, "the caption")
        assert NASTY in page.locator("#feed li").inner_text()
        assert page.locator("#feed img, #feed li b b, .captions img").count() == 0
        assert page.title() != "1"


def test_a_message_and_a_gift_are_sent_with_the_token_of_the_address(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia#token=abc") as page:
        assert "token" not in page.url
        page.fill("#name", "小鱼")
        page.fill("#text", "  你好  ")
        page.press("#text", "Enter")
        until(lambda: stage.calls, "the message")
        until(lambda: page.locator("#feed li").count() == 1, "it stands in the list at once")
        page.locator(".gift").nth(1).click()
        until(lambda: len(stage.calls) == 2, "the gift")
        assert page.input_value("#text") == ""
    (path, token, message), (_, _, gift) = stage.calls
    assert (path, token) == ("/rooms/lydia/messages", "Bearer abc")
    assert message["text"] == "你好" and message["viewer"]["name"] == "小鱼" and message["viewer"]["id"]
    assert gift["gift"] == {"gift_id": "pill", "name": "能量药丸", "count": 1, "value_fen": 1000}


def test_a_refused_message_is_given_back_with_a_reason(browser: Browser, stage: FakeStage) -> None:
    stage.message_status = 401
    with opened(browser, f"{stage.url}/rooms/lydia", locale="en-US") as page:
        page.fill("#text", "hello")
        page.press("#text", "Enter")
        until(lambda: "token" in page.locator("#notice").inner_text(), "the reason")
        assert page.input_value("#text") == "hello"
        assert page.locator("#feed li").count() == 0


def test_a_lost_connection_is_shown_and_comes_back_by_itself(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia") as page:
        alive(page)
        page.evaluate("window.states = []; setInterval(() => states.push(lydia.connection), 10)")
        stage.hang_up()
        until(lambda: "lost" in page.evaluate("states"), "the loss is seen")
        until(lambda: lydia(page, "connection") == "live", "it came back")
        alive(page)
        assert abs(lydia(page, "heardSample") - stage.now()) < 2 * RATE


def test_without_permission_for_sound_she_moves_and_one_tap_lets_her_be_heard(
    playwright: Playwright, stage: FakeStage
) -> None:
    strict = chromium(playwright, "--autoplay-policy=document-user-activation-required")
    with strict as browser, opened(browser, f"{stage.url}/rooms/lydia") as page:
        # Asking the page anything counts as a touch: nothing is asked before it has found out that it may not sound.
        until(lambda: stage.reports, "she is on the stage")
        until(lambda: lydia(page, "jawOpen") > 0.3, "she moves")
        assert lydia(page, "sound") == "blocked"
        page.locator("#tap").click()
        alive(page)
        assert page.locator("#tap").is_hidden()
        page.locator("#sound").click()
        until(lambda: lydia(page, "sound") == "muted" and lydia(page, "energy") < 1e-3, "turned off")
        page.locator("#sound").click()
        until(lambda: lydia(page, "energy") > 0.05, "and on again")


def test_everything_comes_from_her_own_server(browser: Browser, stage: FakeStage) -> None:
    asked: list[str] = []
    with opened(browser, "about:blank") as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{stage.url}/rooms/lydia")
        until(lambda: lydia(page, "figure"), "she is seen")
    assert all(url.startswith((stage.url, "blob:", "data:")) for url in asked)


def test_without_a_body_to_fetch_a_simple_one_is_there(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia") as page:
        assert until(lambda: lydia(page, "figure"), "she is seen") == "head"
    assert "/avatar/lydia-lite.vrm" in stage.requests


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("ARKit shapes", tiny_vrm(ARKIT_NAMES[:SHAPES])),
        ("presets only", tiny_vrm([], ["aa", "oh", "ou", "blink"])),
    ],
)
def test_a_vrm_file_is_worn_and_moves(browser: Browser, stage: FakeStage, name: str, file: bytes) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia") as page:
        until(lambda: lydia(page, "figure") == "head", "she is seen")
        page.set_input_files("#file", files=[_file(f"{name}.vrm", file)])
        until(lambda: lydia(page, "figure") == "file", "she wears it")
        frames = lydia(page, "framesShown")
        until(lambda: lydia(page, "framesShown") > frames and lydia(page, "jawOpen") > 0.3, "it moves")


def test_a_file_that_is_no_vrm_is_refused_kindly(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia", locale="en-US") as page:
        until(lambda: lydia(page, "figure") == "head", "she is seen")
        page.set_input_files("#file", files=[_file("picture.vrm", b"not a model")])
        until(lambda: "not a VRM" in page.locator("#notice").inner_text(), "the notice")
        assert lydia(page, "figure") == "head"


def _file(name: str, content: bytes) -> Any:
    return {"name": name, "mimeType": "model/gltf-binary", "buffer": content}
