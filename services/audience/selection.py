"""What a chat message is worth: the sum of named terms, so that a person can see why she chose it.

What the text and its viewer give is reckoned once, on arrival; what moves with time is reckoned when she chooses.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from services.audience.similar import HER_NAMES, Form
from services.audience.viewers import Viewer
from services.core.events import AudienceEvent, ScoreTerm

_QUESTION = re.compile(
    r"[?？]|[吗么呢]\W*$|什么|怎么|为什么|为啥|咋|谁|哪|几[个点岁时月天次只]|多少|多大|多久|是不是|能不能|会不会|有没有|可不可以|"
    r"要不要|对不对|可以.{0,12}吗|(?i:\b(?:what|who|whom|why|when|where|which|how)\b|"
    r"^\W*(?:do|does|did|are|is|was|can|could|will|would|should|have|may) )"
)
_BY_NAME = re.compile(f"{HER_NAMES}|主播", re.IGNORECASE)
_TO_OTHERS = re.compile(rf"[@＠](?!\s*(?:{HER_NAMES}|主播|小姐姐))\s?[^\s@＠]", re.IGNORECASE)
_TO_HER = re.compile(r"你|妳|您|\b(?:you|your|u|ur)\b", re.IGNORECASE)

FAIR_S = 30.0
"""Half of a viewer's disadvantage after an answer is gone by then."""
FLOOD_S = 30.0
FREE_MESSAGES = 3
"""So many messages within FLOOD_S cost nothing."""
FRESH, WAITED = 2.0, 0.4
"""Of a message that just came, and of one at the end of its lifetime."""
LOWEST = -2.0
"""A message below this is not worth breaking the silence."""


@dataclass(frozen=True, slots=True)
class Worth:
    """The terms that stay as they are."""

    question: float
    addressed: float
    value: float
    meaning: float
    spam: float
    repeated: float

    def total(self) -> float:
        return self.question + self.addressed + self.value + self.meaning + self.spam + self.repeated


def worth(event: AudienceEvent, form: Form, viewer: Viewer, now_ms: int, *, answered_before: bool) -> Worth:
    """Judges a message on arrival. `viewer` does not know of it yet; `answered_before`: its meaning, a moment ago."""
    text = event.chat.text
    return Worth(
        question=_question(text),
        addressed=_addressed(text),
        value=_value(event, viewer),
        meaning=_meaning(form),
        spam=_spam(text, form, viewer, now_ms),
        repeated=-1.0 if answered_before else 0.0,
    )


def at_a_glance(event: AudienceEvent) -> float:
    """What a message says of its worth by itself, for whoever knows neither its viewer nor what else waits."""
    text = event.chat.text
    return _question(text) + _addressed(text) + _standing(event)


def _question(text: str) -> float:
    return 1.2 if _QUESTION.search(text) else 0.0


def _addressed(text: str) -> float:
    """Whom it is meant for: a host does not answer what viewers say to each other."""
    if _BY_NAME.search(text):
        return 0.8
    if _TO_OTHERS.search(text):
        return -1.5
    return 0.3 if _TO_HER.search(text) else 0.0


def _value(event: AudienceEvent, viewer: Viewer) -> float:
    return _standing(event) + min(0.25 * math.log10(1 + viewer.given_fen), 1.2)


def _standing(event: AudienceEvent) -> float:
    fans = 0.5 * min(event.viewer.fans_club_level, 15) / 15
    return fans + (0.5 if event.viewer.is_moderator or event.viewer.is_anchor else 0.0)


def _meaning(form: Form) -> float:
    """Prefers messages of a clause or two over single cries and essays."""
    length = len(form.key)
    if length == 0 or len(set(form.key)) < 2:
        return -1.0
    if length < 3:
        return -0.4
    if length > 120:
        return -0.3
    return 0.4 if length >= 5 else 0.1


def _spam(text: str, form: Form, viewer: Viewer, now_ms: int) -> float:
    found = 0.0
    if len(text) >= 8 and len(set(text)) / len(text) < 0.3:
        found -= 1.0
    if form.key in viewer.said:
        found -= 1.5
    lately = sum(1 for at in viewer.wrote_ms if now_ms - at < FLOOD_S * 1000)
    return found - 0.4 * max(lately - FREE_MESSAGES, 0)


def company(viewers: int) -> float:
    """What it counts that several viewers say the same."""
    return min(0.6 * (viewers - 1), 1.8)


def moving(viewer: Viewer, age: float, now_ms: int) -> tuple[float, float, float]:
    """Freshness, waiting and fairness of a message. `age` is 0 on arrival and 1 at the end of its lifetime.

    Fresh messages come first because they are still on the screen: an answer to what scrolled away half a minute ago
    puzzles everybody, the one who asked included. Waiting long counts a little again, so that nobody starves. Fairness
    is highest for who was never answered.
    """
    fairness = 1.0
    if viewer.answered_ms and now_ms > viewer.answered_ms:
        fairness -= 2.5 / (1.0 + (now_ms - viewer.answered_ms) / (FAIR_S * 1000))
    elif viewer.answered_ms:
        fairness -= 2.5
    return FRESH * (1.0 - age) ** 3, WAITED * age * age, fairness


def terms(fixed: Worth, moved: tuple[float, float, float], together: float) -> list[ScoreTerm]:
    """The terms that are not zero, by name."""
    freshness, waiting, fairness = moved
    named = (
        ("question", fixed.question),
        ("addressed", fixed.addressed),
        ("value", fixed.value),
        ("meaning", fixed.meaning),
        ("spam", fixed.spam),
        ("repeated", fixed.repeated),
        ("freshness", freshness),
        ("waiting", waiting),
        ("fairness", fairness),
        ("company", together),
    )
    return [ScoreTerm(name=name, value=value) for name, exact in named if (value := round(exact, 4))]
