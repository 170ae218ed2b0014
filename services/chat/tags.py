"""Control tags: how she says something, written into her words as [emotion][gesture]."""

from __future__ import annotations

import re

from services.core import events
from services.core.events import EMOTION_NEUTRAL, GESTURE_NONE, Emotion, Gesture

EMOTIONS = tuple(name.removeprefix("EMOTION_").lower() for name in Emotion.keys()[1:])
GESTURES = tuple(name.removeprefix("GESTURE_").lower() for name in Gesture.keys()[1:])
_TAG = re.compile(r"\[(\w{1,20})\]\s*")
_OPEN_TAG = re.compile(r"\[\w{0,20}$")


def tagged(emotion: str, gesture: str, words: str) -> str:
    """Words with their tags in front; no gesture needs no tag."""
    return f"[{emotion}]{words}" if gesture == "none" else f"[{emotion}][{gesture}]{words}"


class Tags:
    """Takes the control tags out of a text, also when they come in parts."""

    def __init__(self) -> None:
        self.emotion: Emotion = EMOTION_NEUTRAL
        self._gesture: Gesture = GESTURE_NONE
        self._kept = ""

    def without(self, piece: str) -> str:
        """The text without tags; what may still become a tag is kept back."""
        text = _TAG.sub(self._note, self._kept + piece)
        begun = _OPEN_TAG.search(text)
        self._kept = text[begun.start() :] if begun else ""
        return text[: begun.start()] if begun else text

    def rest(self) -> str:
        """What was kept back and is no tag after all."""
        kept, self._kept = self._kept, ""
        return kept.lstrip("[")

    def take_gesture(self) -> Gesture:
        """The gesture for the next segment, once."""
        gesture, self._gesture = self._gesture, GESTURE_NONE
        return gesture

    def _note(self, found: re.Match[str]) -> str:
        name = found[1].upper()
        self.emotion = getattr(events, f"EMOTION_{name}", self.emotion)
        self._gesture = getattr(events, f"GESTURE_{name}", self._gesture)
        return ""
