"""What became of an event is told by the stream: answered, dropped by choice, waiting, lost, or twice."""

from __future__ import annotations

import pytest

from loadtests.load.fates import Fate, accepted, fates, is_over
from tests.unit.loadtests.show import Show


def of(show: Show, until: float = 60.0) -> dict[str, Fate]:
    return {fate.event.event_id: fate for fate in fates(show.plan, show.sent, [show.seen], 0.0, until)}


def later(show: Show) -> None:
    """Another message is answered at 5 s."""
    show.send("later", 5.0)
    show.tell("later", 5.1, "CHOSEN", "BEST_SCORE", "t9")
    show.turn("t9", 5.2, {"w": ["later"]}, paid=False)


def test_latency_counts_from_the_scheduled_time_to_the_first_voice_and_the_first_frame() -> None:
    show = Show()
    show.send("a", 1.0)
    show.tell("a", 1.02, "CHOSEN", "BEST_SCORE", "t1")
    show.turn("t1", 1.1, {"u": ["a"]}, paid=False)
    fate = of(show)["a"]
    assert fate.outcome == "answered"
    assert fate.voice_ms is not None
    assert fate.frame_ms is not None
    assert round(fate.voice_ms) == 120
    assert round(fate.frame_ms) == 130
    assert fate.choosing_ms == 5
    assert fate.free


@pytest.mark.parametrize("known_after", [0.5, None])
def test_thanks_are_heard_too_when_the_stage_learns_only_later_whom_they_are_for(known_after: float | None) -> None:
    show = Show()
    for name in ("a", "b"):
        show.send(name, 1.0, "paid")
        show.tell(name, 1.02, "CHOSEN", "PAID", "t1")
    show.turn("t1", 1.1, {"u": ["a"], "v": ["b"]}, known_after=known_after)
    later(show)
    assert [(of(show)[name].outcome, of(show)[name].times) for name in "ab"] == [("answered", 1)] * 2
    assert all(is_over(show.plan.events[name], show.seen) for name in "ab")


def test_a_message_that_came_while_she_spoke_did_not_find_her_free() -> None:
    show = Show()
    show.send("a", 1.0)
    show.tell("a", 1.02, "CHOSEN", "BEST_SCORE", "t1")
    show.turn("t1", 1.1, {"u": ["a"]}, segment_s=3, paid=False)
    show.send("b", 2.0)
    show.tell("b", 4.2, "CHOSEN", "BEST_SCORE", "t2")
    show.turn("t2", 4.3, {"v": ["b"]}, paid=False)
    assert not of(show)["b"].free


def test_a_message_that_found_silence_but_had_to_wait_for_another_was_not_free_either() -> None:
    show = Show()
    for name in ("a", "b"):
        show.send(name, 1.0)
    show.tell("a", 1.02, "CHOSEN", "BEST_SCORE", "t1")
    show.tell("b", 1.03, "WAITING", "UNSPECIFIED")
    show.turn("t1", 1.1, {"u": ["a"]}, paid=False)
    show.tell("b", 2.2, "CHOSEN", "BEST_SCORE", "t2")
    show.turn("t2", 2.3, {"v": ["b"]}, paid=False)
    fate = of(show)
    assert (fate["a"].free, fate["b"].free) == (True, False)


def test_a_message_dropped_by_choice_has_its_reason_and_is_no_loss() -> None:
    show = Show()
    show.send("a", 1.0)
    show.tell("a", 1.1, "WAITING", "UNSPECIFIED")
    show.tell("a", 46.0, "DROPPED", "EXPIRED")
    assert (of(show)["a"].outcome, of(show)["a"].reason) == ("dropped", "expired")


def test_a_paid_event_that_was_taken_and_never_decided_on_is_lost_between_gateway_and_audience() -> None:
    show = Show()
    show.send("gift", 1.0, "paid")
    assert of(show)["gift"].outcome == "waiting"  # perhaps she is only late
    show.send("later", 2.0)
    show.tell("later", 2.1, "WAITING", "UNSPECIFIED")
    fate = of(show)["gift"]
    assert fate.outcome == "lost"
    assert fate.reason.startswith("between gateway and audience")


def test_a_paid_event_that_was_chosen_and_never_performed_is_lost_between_audience_and_stage() -> None:
    show = Show()
    show.send("gift", 1.0, "paid")
    show.tell("gift", 1.1, "CHOSEN", turn_id="t1")
    assert of(show)["gift"].outcome == "waiting"
    later(show)
    assert of(show)["gift"].reason.startswith("between audience and stage")


def test_a_paid_event_cut_off_and_not_said_again_is_lost_on_the_stage() -> None:
    show = Show()
    show.send("first", 1.0, "paid")
    show.send("second", 1.0, "paid")
    for gift in ("first", "second"):
        show.tell(gift, 1.1, "CHOSEN", turn_id="t1")
    show.turn("t1", 1.2, {"u": ["first"], "v": ["second"]}, stopped=2.1)
    assert of(show)["second"].outcome == "waiting"  # it may be said again
    later(show)
    fate = of(show)
    assert fate["second"].reason.startswith("on the stage")
    assert fate["first"].outcome == "answered"  # cut at its very end, for all that one can see from outside


def test_what_the_audience_still_has_when_the_watching_ends_waits_and_is_not_lost() -> None:
    show = Show()
    show.send("gift", 1.0, "paid")
    show.tell("gift", 1.1, "WAITING")
    assert of(show)["gift"].outcome == "waiting"
    assert not is_over(show.events["gift"], show.seen)


def test_what_the_target_refused_is_refused_and_nobody_waits_for_it() -> None:
    show = Show()
    show.send("gift", 1.0, "paid", refusal="503 unavailable")
    fate = of(show)["gift"]
    assert (fate.outcome, fate.reason) == ("refused", "503 unavailable")
    assert accepted(show.plan, show.sent) == []


def test_what_the_gateway_left_out_is_dropped_and_nobody_waits_for_it_but_a_gift_is_never_left_out() -> None:
    show = Show()
    for name, lane in (("shed", "chat"), ("gift", "paid")):
        show.send(name, 1.0, lane, shed=1)
    later(show)
    fate = of(show)
    assert (fate["shed"].outcome, fate["shed"].reason) == ("dropped", "left out by the gateway: too many")
    assert fate["gift"].outcome == "lost"
    assert [event.event_id for event in accepted(show.plan, show.sent) if event.event_id in fate] == ["gift", "later"]


def test_nothing_is_called_lost_that_the_harness_could_not_see() -> None:
    show = Show()
    show.send("gift", 1.0, "paid")
    show.seen.blind.append((2.0, 3.0))
    later(show)
    assert of(show)["gift"].outcome == "unseen"


def test_a_gift_thanked_to_the_end_in_two_turns_was_thanked_twice_and_one_cut_off_was_not() -> None:
    show = Show()
    show.send("twice", 1.0, "paid")
    show.send("again", 1.0, "paid")
    for gift in ("twice", "again"):
        show.tell(gift, 1.1, "CHOSEN", turn_id="t1")
    # The first viewer's thanks are over when the turn is cut, the second's are not.
    show.turn("t1", 1.2, {"u": ["twice"], "v": ["again"]}, stopped=2.5)
    show.tell("again", 2.9, "CHOSEN", turn_id="t2")
    show.turn("t2", 3.0, {"u": ["twice"], "v": ["again"]})
    fate = of(show)
    assert fate["twice"].times == 2
    assert fate["again"].times == 1
    assert is_over(show.events["again"], show.seen)


def test_thanks_cut_in_their_middle_and_never_said_again_are_lost() -> None:
    show = Show()
    show.send("gift", 1.0, "paid")
    show.tell("gift", 1.1, "CHOSEN", turn_id="t1")
    show.turn("t1", 1.2, {"u": ["gift"]}, stopped=1.7)
    later(show)
    assert of(show)["gift"].outcome == "lost"


def test_thanks_cut_at_their_very_end_are_over_once_she_goes_on_with_something_else() -> None:
    show = Show()
    show.send("gift", 1.0, "paid")
    show.tell("gift", 1.1, "CHOSEN", turn_id="t1")
    show.turn("t1", 1.2, {"u": ["gift"]}, stopped=2.1)
    assert not is_over(show.events["gift"], show.seen)
    later(show)
    assert is_over(show.events["gift"], show.seen)
    assert of(show)["gift"].outcome == "answered"


def test_what_is_told_again_to_a_stream_that_came_back_changes_nothing() -> None:
    show = Show()
    show.send("gift", 1.0, "paid")
    show.tell("gift", 1.1, "WAITING")
    show.tell("gift", 1.2, "CHOSEN", turn_id="t1")
    show.tell("gift", 9.0, "CHOSEN", turn_id="t1")
    assert [told.outcome for told in show.seen.decisions["gift"]] == ["waiting", "chosen"]
