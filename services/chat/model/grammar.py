"""The seeded grammar that multiplies the dialogues: slots are filled, wordings get the frills and slips of live rooms.

Slots are `{city}` and the like; question and answer of a dialogue get the same word.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from services.chat.persona import Language
from services.core.yaml_files import read_yaml

WORDS: Mapping[str, Mapping[Language, Sequence[str]]] = read_yaml(Path(__file__).with_name("slots.yaml"))
_SLOT = re.compile(r"{(" + "|".join(WORDS) + r")}")
_ENDINGS: Mapping[Language, tuple[str, ...]] = {
    "zh": (*"啊呀呢吧哈嘛哦诶~！？。…呗捏😂", "哈哈", "啊啊", "!!", "??"),
    "en": ("!", "?", "...", " lol", " haha", " please", " pls", " tho", "!!", "??", " :)", " today", " hey", " 😂"),
}
_OPENINGS: Mapping[Language, tuple[str, ...]] = {
    "zh": ("那", "诶", "话说", "请问", "哈哈", "嗯", "哎", "我说", "对了", "那个", "求问", "所以"),
    "en": ("so ", "hey ", "well ", "um ", "haha ", "btw ", "ok ", "and ", "yo ", "hi "),
}
FRILLS, SLIPS = 0.35, 0.08
"""Shares of texts with an opening or ending, and with a slip."""


def words_for(text: str, tongue: Language, draw: random.Random) -> dict[str, str]:
    """A word for each slot that occurs in the text."""
    return {slot: draw.choice(WORDS[slot][tongue]) for slot in sorted(set(_SLOT.findall(text)))}


def filled(text: str, words: Mapping[str, str]) -> str:
    """The text with these words in its slots."""
    return _SLOT.sub(lambda found: words[found[1]], text)


def varied(text: str, tongue: Language, draw: random.Random) -> str:
    """The text as somebody else might have typed it."""
    if draw.random() < FRILLS:
        if draw.random() < 0.4:
            text = draw.choice(_OPENINGS[tongue]) + text
        else:
            text += draw.choice(_ENDINGS[tongue])
    if len(text) > 5 and draw.random() < SLIPS:
        place = draw.randrange(1, len(text) - 1)
        swapped = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
        text = swapped if draw.random() < 0.5 else text[:place] + text[place + 1 :]
    return text
