"""The stage page in a real browser, against a server that speaks the protocol and lies about nothing."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
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
from services.motion.face import ARKIT_NAMES, NAMES, SHAPES
from tests.end_to_end.fake_stage import LABEL, RATE, FakeStage, loudness
from tests.end_to_end.pages import PAGES, check_label, chromium, lydia, opened, until
from tests.end_to_end.tiny_vrm import tiny_vrm

NASTY = '<img src=x onerror="document.title=1"><b>粗体</b>'


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[FakeStage]:
    with FakeStage(PAGES, tmp_path).running() as running:
        yield running


@pytest.fixture(scope="module")
def dressing_room(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One small page, quickly drawn, for all avatars; the one of its settings is worn between them."""
    folder = tmp_path_factory.mktemp("bodies")
    (folder / "own.vrm").write_bytes(tiny_vrm([]))
    with (
        FakeStage(PAGES, folder).running() as stage,
        opened(browser, f"{stage.url}/rooms/lydia", width=300, height=520, locale="en-US") as page,
    ):
        yield page


@pytest.fixture
def wardrobe(dressing_room: Page) -> Page:
    """The page, without notice and with nothing of the test before."""
    if lydia(dressing_room, "figure") == "file":
        dressing_room.locator("[popovertarget=wardrobe]").click()
        dressing_room.locator("#back").click()
    until(lambda: lydia(dressing_room, "figure") == "own", "she wears what the settings say")
    if dressing_room.locator("#notice").is_visible():
        dressing_room.locator("#notice").click()
    return dressing_room


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


def test_the_page_tells_the_server_whether_the_label_is_to_be_seen(browser: Browser, stage: FakeStage) -> None:
    def told() -> bool | None:
        return json.loads(stage.reports[-1])["label_shown"] if stage.reports else None

    with opened(browser, f"{stage.url}/rooms/lydia") as page:
        until(lambda: told() is True, "the label is shown")
        page.locator("#label").evaluate("e => e.style.opacity = '0'")
        until(lambda: told() is False, "hidden")
        page.locator("#label").evaluate("e => e.style.opacity = ''")
        until(lambda: told() is True, "shown again")
        page.locator("#label").evaluate("e => e.style.left = '-20px'")
        until(lambda: told() is False, "cut off")


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


def bodies(page: Page) -> list[str]:
    """What was asked for of her bodies, in that order."""
    asked = page.evaluate("performance.getEntriesByType('resource').map(entry => entry.name.split('/').at(-1))")
    return [name for name in asked if name.startswith("lydia")]


def test_where_the_processor_draws_what_it_cannot_is_not_tried(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia", width=300, height=520) as page:
        page.add_init_script(
            "window.rungs = []; const look = () => { requestAnimationFrame(look);"
            " if (window.lydia?.framesShown) rungs.push(lydia.quality); }; requestAnimationFrame(look);"
        )
        page.reload()
        until(lambda: lydia(page, "figure"), "she is seen")
        assert set(page.evaluate("rungs")) == {"lite"}
        assert bodies(page) == ["lydia-lite.vrm"]


def test_who_does_not_tell_what_draws_is_measured_and_climbs_down(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia", width=300, height=520) as page:
        page.add_init_script(
            "const { prototype } = WebGL2RenderingContext, { getExtension } = prototype;"
            "prototype.getExtension = function (name) {"
            " return name === 'WEBGL_debug_renderer_info' ? null : getExtension.call(this, name); };"
        )
        page.reload()
        until(lambda: lydia(page, "figure"), "she is seen")
        assert bodies(page)[0] == "lydia.vrm"
        until(lambda: lydia(page, "quality") == "lite", "it is hopeless here")


def test_without_a_body_to_fetch_a_simple_one_is_there(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/rooms/lydia") as page:
        assert until(lambda: lydia(page, "figure"), "she is seen") == "head"
    assert "/avatar/lydia-lite.vrm" in stage.requests


VOWELS = ["aa", "ih", "ou", "ee", "oh", "blinkLeft", "blinkRight", "happy"]


@pytest.mark.parametrize(
    ("file", "missing", "told"),
    [
        pytest.param(tiny_vrm(ARKIT_NAMES[:SHAPES]), [], "with everything", id="1.0 ARKit"),
        pytest.param(tiny_vrm([], morphs=ARKIT_NAMES[:SHAPES]), [], "with everything", id="1.0 ARKit without names"),
        pytest.param(tiny_vrm([], VOWELS), ["lipsByVowels"], "lips use vowels", id="1.0 presets"),
        pytest.param(tiny_vrm(NAMES[:SHAPES], VOWELS, version="0.x"), [], "with everything", id="0.x perfect sync"),
        pytest.param(
            tiny_vrm([], VOWELS, version="0.x", eyes=False),
            ["lipsByVowels", "gazeByHead"],
            "no ARKit shapes: lips use vowels; no eye bones: gaze is the head's",
            id="0.x presets without eyes",
        ),
        pytest.param(
            tiny_vrm([], version="0.x", jaw=True),
            ["lipsByJaw", "lidsStill", "moodsNone"],
            "only the jaw opens",
            id="0.x jaw bone",
        ),
        pytest.param(
            tiny_vrm([], eyes=False),
            ["lipsStill", "lidsStill", "moodsNone", "gazeByHead"],
            "the lips keep still",
            id="1.0 skeleton",
        ),
    ],
)
def test_another_avatar_is_worn_faces_the_camera_speaks_with_what_it_has_and_says_what_it_lacks(
    wardrobe: Page, file: bytes, missing: list[str], told: str
) -> None:
    wardrobe.set_input_files("#file", files=[_file("avatar.vrm", file)])
    until(lambda: lydia(wardrobe, "figure") == "file", "she wears it")
    notice = wardrobe.locator("#notice")
    assert told in until(lambda: "She wears it" in notice.inner_text() and notice.inner_text(), "the notice")
    assert lydia(wardrobe, "missing") == missing
    notice.click()  # it goes away, and hides no mouth
    frames = lydia(wardrobe, "framesShown")
    until(lambda: lydia(wardrobe, "framesShown") > frames + 1, "it is drawn")
    mouths = [_mouth(wardrobe)]

    def spoke() -> bool:
        mouths.append(_mouth(wardrobe))
        return max(mouths) - min(mouths) >= 10

    if "lipsStill" in missing:
        jaws = [lydia(wardrobe, "jawOpen") for _ in range(10) if not spoke()]
        assert len(jaws) == 10 and max(jaws) - min(jaws) > 0.3, "she speaks, and without lips and jaw nothing moves"
    else:
        until(spoke, "its mouth opens and closes")


@pytest.mark.parametrize(
    ("file", "told"),
    [
        pytest.param(b"not a model", "not a VRM model", id="no model"),
        pytest.param(tiny_vrm([], version="no VRM"), "no VRM part", id="no VRM"),
        pytest.param(tiny_vrm([], without="spine"), "Bones missing: spine", id="1.0 no humanoid"),
        pytest.param(tiny_vrm([], version="0.x", without="hips"), "Bones missing: hips", id="0.x no humanoid"),
        pytest.param(tiny_vrm([])[:-50], "cannot be read", id="cut off"),
    ],
)
def test_a_file_that_cannot_be_worn_is_refused_with_the_reason(wardrobe: Page, file: bytes, told: str) -> None:
    wardrobe.set_input_files("#file", files=[_file("picture.vrm", file)])
    until(lambda: told in wardrobe.locator("#notice").inner_text(), "the notice")
    assert lydia(wardrobe, "figure") == "own"


def test_the_avatar_of_the_settings_is_worn_by_itself_and_again_when_a_guest_is_taken_off(
    browser: Browser, stage: FakeStage
) -> None:
    (stage.bodies / "own.vrm").write_bytes(tiny_vrm([], VOWELS, version="0.x"))
    with opened(browser, f"{stage.url}/rooms/lydia", width=300, height=520) as page:
        assert until(lambda: lydia(page, "figure"), "she is seen") == "own"
        assert lydia(page, "missing") == ["lipsByVowels"]
        page.set_input_files("#file", files=[_file("guest.vrm", tiny_vrm([], VOWELS))])
        until(lambda: lydia(page, "figure") == "file", "the guest is worn")
        page.locator("[popovertarget=wardrobe]").click()
        page.locator("#back").click()
        until(lambda: lydia(page, "figure") == "own", "and taken off again")
    assert not [path for path in stage.requests if path.endswith(("lydia.vrm", "lydia-lite.vrm"))]


def test_an_avatar_of_the_settings_that_cannot_be_worn_is_told_of_and_she_is_there_all_the_same(
    browser: Browser, stage: FakeStage
) -> None:
    (stage.bodies / "own.vrm").write_bytes(tiny_vrm([])[:-50])
    with opened(browser, f"{stage.url}/rooms/lydia", width=300, height=520, locale="en-US") as page:
        until(lambda: "cannot be read" in page.locator("#notice").inner_text(), "the notice")
        assert until(lambda: lydia(page, "figure"), "she is seen") == "head"


def _mouth(page: Page) -> int:
    """How far down, in pixels of the picture, the face of a tiny avatar reaches. Fails when it is not seen."""
    picture = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
    green = (picture[..., 1] > 180) & (picture[..., 0] < 100) & (picture[..., 2] < 100)
    assert green.sum() > 1000, "it faces the camera"
    return int(np.flatnonzero(green.any(1)).max())


def _file(name: str, content: bytes) -> Any:
    return {"name": name, "mimeType": "model/gltf-binary", "buffer": content}
