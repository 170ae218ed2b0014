"""The operator's console in a real browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from services.core.events import (
    LANE_CHAT,
    LANE_PAID,
    MODE_TAKEOVER,
    AudienceCause,
    AudienceEvent,
    Chat,
    Decision,
    Gift,
    Lane,
    ScoreTerm,
    StageFrame,
    Turn,
    Viewer,
)
from tests.end_to_end.fake_stage import TOKEN, FakeStage
from tests.end_to_end.pages import PAGES, opened, until

NASTY = '<img src=x onerror="document.title=1"><b>粗体</b>'


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[FakeStage]:
    fake = FakeStage(PAGES, tmp_path)
    fake.waiting = [
        waiting("low", "Echo", Chat(text="What do people eat in 2112?"), 1.31),
        waiting("high", "阿白", Chat(text=NASTY), 2.5),
        waiting("gift", "橘子", Gift(gift_id="pill", name="能量药丸", count=3, value_fen=3000), 0.5, LANE_PAID),
    ]
    with fake.running() as running:
        yield running


def waiting(event_id: str, name: str, kind: Chat | Gift, score: float, lane: Lane = LANE_CHAT) -> Decision:
    event = AudienceEvent(event_id=event_id, room_id="lydia", viewer=Viewer(id=name, name=name))
    if isinstance(kind, Chat):
        event.chat.CopyFrom(kind)
    else:
        event.gift.CopyFrom(kind)
    return Decision(
        decision_id=f"waiting-{event_id}",
        room_id="lydia",
        decided_at_ms=int(time.time() * 1000),
        event_id=event_id,
        outcome=Decision.OUTCOME_WAITING,
        lane=lane,
        score=score,
        terms=[ScoreTerm(name="question", value=0.8), ScoreTerm(name="spam", value=-0.15)],
        event=event,
    )


def queue(page: Page) -> list[str]:
    found: list[str] = page.locator("#waiting li").evaluate_all("items => items.map(item => item.dataset.event)")
    return found


def controls(stage: FakeStage) -> list[dict[str, object]]:
    assert all(token == f"Bearer {TOKEN}" and path == "/rooms/lydia/control" for path, token, _ in stage.calls)
    return [body for _, _, body in stage.calls]


def test_the_token_is_asked_for_until_it_is_right(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/console", locale="en-US") as page:
        page.locator("#login-token").wait_for()
        page.fill("#login-token", "wrong")
        page.press("#login-token", "Enter")
        until(lambda: page.locator("#login-wrong").is_visible(), "refused")
        page.fill("#login-token", TOKEN)
        page.press("#login-token", "Enter")
        until(lambda: len(queue(page)) == 3, "the queue")
        assert not page.locator("#login").is_visible()
        page.reload()
        until(lambda: len(queue(page)) == 3, "the tab remembers it")


def test_the_token_of_the_address_is_taken_out_of_it(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/console#token={TOKEN}") as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        assert TOKEN not in page.url


def test_the_queue_shows_gifts_first_then_the_best_score_and_why(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/console#token={TOKEN}", locale="en-US") as page:
        until(lambda: queue(page) == ["gift", "high", "low"], "the order")
        gift, high, _ = page.locator("#waiting li").all_inner_texts()
        assert page.locator("#waiting img").count() == 0
    assert "sent 能量药丸 ×3" in gift and "Paid" in gift
    assert NASTY in high, "what viewers write is text"
    assert "Score 2.50" in high and "question +0.80" in high and "spam −0.15" in high


def test_approve_and_skip_name_their_event(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/console#token={TOKEN}") as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        page.locator('[data-event="low"] button').nth(0).click()
        until(lambda: len(stage.calls) == 1, "approved")
        page.locator('[data-event="high"] button').nth(1).click()
        until(lambda: len(stage.calls) == 2, "skipped")
    assert controls(stage) == [{"action": "approve", "event_id": "low"}, {"action": "skip", "event_id": "high"}]


def test_decisions_move_through_the_lists_as_they_come(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/console#token={TOKEN}", locale="en-US") as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        dropped = waiting("low", "Echo", Chat(text="What do people eat in 2112?"), 1.31)
        dropped.decision_id, dropped.outcome, dropped.reason = "d", Decision.OUTCOME_DROPPED, Decision.REASON_EXPIRED
        fresh = waiting("new", "Mei", Chat(text="你好"), 9)
        stage.send(StageFrame(decision=dropped), StageFrame(decision=fresh))
        until(lambda: queue(page) == ["gift", "new", "high"], "the queue follows")
        assert "waited too long" in page.locator("#recent li").first.inner_text()


def test_refused_words_are_shown_once_the_operators_own_call_brings_them(browser: Browser, stage: FakeStage) -> None:
    refused = waiting("low", "Echo", Chat(text="buy followers"), 0)
    refused.decision_id, refused.outcome, refused.reason = "d", Decision.OUTCOME_DROPPED, Decision.REASON_MODERATED
    bare = Decision.FromString(refused.SerializeToString())
    bare.event.chat.text = ""
    with opened(browser, f"{stage.url}/console#token={TOKEN}", locale="en-US") as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        stage.send(StageFrame(decision=bare))
        until(lambda: "not for this room" in page.locator("#recent li").first.inner_text(), "the decision")
        stage.recent = [refused]
        until(lambda: "buy followers" in page.locator("#recent li").first.inner_text(), "its words")
        assert page.locator("#recent li").count() == 1


def test_the_operator_speaks_mutes_and_changes_the_mode(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/console#token={TOKEN}") as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        page.fill("#say-text", " 大家晚上好 ")
        page.locator("#say button").click()
        until(lambda: len(stage.calls) == 1, "said")
        page.locator("#mute").click()
        until(lambda: len(stage.calls) == 2, "muted")
        page.locator("label", has=page.locator("#mode-takeover")).click()
        until(lambda: len(stage.calls) == 3, "took over")
        stage.status.muted, stage.status.mode = True, MODE_TAKEOVER
        stage.send(StageFrame(status=stage.status))
        until(lambda: page.locator("#mute").inner_text() == "取消静音", "the state is shown")
        assert "已静音" in page.locator("#state").inner_text(), "and read out"
        assert page.locator("#mode-takeover").is_checked()
    assert controls(stage) == [
        {"action": "say", "text": "大家晚上好"},
        {"action": "mute", "muted": True},
        {"action": "mode", "mode": "takeover"},
    ]


def test_panic_is_one_tap_and_release_is_one_tap_but_not_the_same(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/console#token={TOKEN}", locale="en-US") as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        box = page.locator("#panic").bounding_box()
        assert box is not None and box["height"] >= 60 and box["y"] + box["height"] <= 844, "in reach of a thumb"
        page.locator("#panic").click()
        until(lambda: len(stage.calls) == 1, "panic")
        page.evaluate(  # a second tap, as soon as the first is obeyed
            """() => {
                 const button = document.getElementById("panic");
                 new MutationObserver(() => button.click()).observe(document.body, {attributeFilter: ["class"]});
               }"""
        )
        stage.status.panic = True
        stage.send(StageFrame(status=stage.status))
        until(lambda: "Release" in page.locator("#panic").inner_text(), "the way back")
        assert "stopped" in page.locator("#state").inner_text(), "and read out"
        time.sleep(1.1)
        page.locator("#panic").click()
        until(lambda: len(stage.calls) == 2, "released")
    assert controls(stage) == [{"action": "panic", "released": False}, {"action": "panic", "released": True}]


def test_a_press_counts_whatever_is_told_while_it_lasts(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/console#token={TOKEN}", locale="en-US") as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        page.locator("#panic b").hover(force=True)
        page.mouse.down()
        stage.status.renderers = 7
        stage.send(StageFrame(status=stage.status))
        until(lambda: "7" in page.locator("#facts").inner_text(), "a viewer comes")
        page.mouse.up()
        until(lambda: len(stage.calls) == 1, "panic")
    assert controls(stage) == [{"action": "panic", "released": False}]


def test_what_was_not_done_leaves_the_buttons_as_things_stand(browser: Browser, stage: FakeStage) -> None:
    stage.control_status = 503
    with opened(browser, f"{stage.url}/console#token={TOKEN}", locale="en-US") as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        page.locator("label", has=page.locator("#mode-takeover")).click()
        until(lambda: "Not done (503)" in page.locator("#notice").inner_text(), "told")
        assert page.locator("#mode-auto").is_checked()


def test_an_operators_words_are_in_sight_until_they_are_said(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/console#token={TOKEN}", locale="en-US") as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        assert page.locator("#says-waiting").is_hidden()
        stage.status.says.extend(["Good evening", NASTY])
        stage.send(StageFrame(status=stage.status))
        until(lambda: page.locator("#says li").all_inner_texts() == ["Good evening", NASTY], "what waits")
        page.fill("#say-text", "half wri")
        page.locator("#language").click()
        until(lambda: "等着说" in page.locator("#says-waiting").inner_text(), "in the other language")
        assert page.locator("#say-text").input_value() == "half wri", "half written words stay"


def test_the_running_turn_is_shown_and_can_be_skipped(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/console#token={TOKEN}", locale="en-US") as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        assert page.locator("#skip-now").is_disabled()
        event = stage.waiting[0].event
        stage.perform(
            Turn(turn_id="t", room_id="lydia", epoch=1, audience=AudienceCause(events=[event])), "Sea grapes."
        )
        until(lambda: page.locator("#caption").inner_text() == "Sea grapes.", "what she says")
        assert "Echo" in page.locator("#cause").inner_text()
        page.locator("#skip-now").click()
        until(lambda: len(stage.calls) == 1, "skipped")
    assert controls(stage) == [{"action": "skip", "turn_id": "t"}]


def test_a_step_down_the_ladder_is_told_as_it_happens(browser: Browser, stage: FakeStage) -> None:
    stage.status.speech_rung = "natural"
    with opened(browser, f"{stage.url}/console#token={TOKEN}") as page:
        until(lambda: "natural" in page.locator("#facts").inner_text(), "the rung")
        stage.status.speech_rung = "espeak"
        stage.send(StageFrame(status=stage.status))
        until(lambda: "natural → espeak" in page.locator("#notice").inner_text(), "the step")
        until(lambda: "espeak" in page.locator("#facts").inner_text(), "the new rung")


def test_nothing_is_wider_than_a_phone(browser: Browser, stage: FakeStage) -> None:
    with opened(browser, f"{stage.url}/console#token={TOKEN}", width=360, height=640) as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        small = page.locator("button:visible, select:visible, label:has(input[type=radio])").evaluate_all(
            "items => items.filter(item => item.getBoundingClientRect().height < 36).map(item => item.textContent)"
        )
    assert small == []


def test_words_that_could_not_be_said_stay_in_the_box(browser: Browser, stage: FakeStage) -> None:
    stage.control_status = 503
    with opened(browser, f"{stage.url}/console#token={TOKEN}", locale="en-US") as page:
        until(lambda: len(queue(page)) == 3, "the queue")
        page.fill("#say-text", "hello")
        page.locator("#say button").click()
        until(lambda: "Not done (503)" in page.locator("#notice").inner_text(), "the notice")
        assert page.input_value("#say-text") == "hello"
