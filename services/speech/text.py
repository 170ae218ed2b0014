"""From written text to what is said: phrases of runs, each run in one language, without anything unspeakable."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from services.speech.expand import HANZI, expand
from services.speech.numbers import roman
from services.speech.tables import (
    ABBREVIATIONS_EN,
    EMAIL,
    EMOJI,
    FACES,
    LINK,
    SAID_AS_WORDS,
    SLANG_EN,
    SLANG_ZH,
    SPELLED,
)

Language = Literal["zh", "en"]

MAX_PHRASE = 60
"""Hanzi, or English words counted as three, after which a phrase without punctuation is cut."""
MAX_WORD = 24
"""Letters of a word that are said; no word is longer."""
MARKS = ",:….!?"
"""What a phrase may end with, weakest first."""
PAUSE_S = {",": 0.16, ":": 0.2, ".": 0.32, "?": 0.32, "!": 0.32, "…": 0.4, "": 0.05}
"""Silence after a phrase, by its mark."""


STAND_OUT, ENOUGH = "\ue000", "\ue001"
"""Around words that stand out, while a text is made speakable; nobody writes them."""


def _any(words: tuple[str, ...] | dict[str, str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_BEFORE_NFKC = str.maketrans(
    {"’": "'", "‘": "'", "，": "、", "−": "-", "—": "…", "・": "·"}
    | {chr(ord("①") + index): f"{index + 1}、" for index in range(20)}
)
"""What compatibility composition would change for the worse: a full-width comma never groups digits, for one."""
_URL = re.compile(
    r"(?:https?://|www\.)[!-~]+|(?<![\w@.])(?:[a-z0-9-]+\.)+(?:com|cn|net|org|io|tv|ai)(?![\w.@])(?:/[!-~]*)?",
    re.IGNORECASE | re.ASCII,
)
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", re.ASCII)
_FACE = re.compile(rf"(?<![A-Za-z0-9])(?:{_any(FACES)})(?![A-Za-z0-9])", re.IGNORECASE)
_ABBREVIATION = re.compile(rf"(?<![A-Za-z0-9])(?:{_any(ABBREVIATIONS_EN)})(?![A-Za-z0-9])", re.IGNORECASE)
_ROMAN = re.compile(
    r"(第\s?|\b[A-Z][A-Za-z]*\s(?=II(?![A-Za-z])|[XVI]{3}))(?=[XVI]{2})(X{0,2}(?:IX|IV|VI{0,3}|I{1,3}))(?![A-Za-z0-9])"
)
"""World War III, 第IV季. A shorter one after a name is as often no number: an IV drip, VI设计."""
_TOKEN = re.compile(r"[A-Za-z0-9]*[A-Za-z][A-Za-z0-9]*")
_WORD = re.compile(r"(?P<contracted>(?<=[A-Za-z]'))?[A-Za-z]+")
"""Of I'll, ll is contracted."""
_WHOLE = re.compile(
    rf"[A-Za-z0-9'’]*[A-Za-z][A-Za-z0-9'’]*|[^\w\s{STAND_OUT}{ENOUGH}]?\d(?:[\d.,:/-]*\d)?%?(?:\s*[{HANZI}])?"
)
"""What is read as one: a word, a figure with its sign and what it counts."""
_PIECE = re.compile(
    rf"([{HANZI}]+)|([A-Za-z]+(?:'[A-Za-z]+)*(?: +[A-Za-z]+(?:'[A-Za-z]+)*)*)|([{MARKS}])|[{STAND_OUT}{ENOUGH}]"
)
_AS_MARK = str.maketrans(
    dict.fromkeys("、；;()[]{}<>《》〈〉【】\n\t|/\\", ",") | {"。": ".", "？": "?", "！": "!", "：": ":", "⋯": "…"}
)


@dataclass(frozen=True, slots=True)
class Run:
    """Words of one language. zh: Hanzi only. en: words of letters and apostrophes, with single spaces between."""

    language: Language
    text: str
    emphasis: bool = False
    """They stand out. Two runs of one language follow one another only where this differs."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is said in one breath."""

    runs: tuple[Run, ...]
    mark: str
    """How it ends: one of MARKS, or empty when the text just goes on or ends."""


def phrases(text: str, emphasis: Sequence[tuple[int, int]] = (), *, language: str = "") -> list[Phrase]:
    """The phrases of a text; none when there is nothing to say in it. `emphasis`: where the words that stand out begin
    and end in it, characters. A text without words is read in `language`, Chinese unless that is "en".
    """
    text = _clean(_marked(text, emphasis), language)
    chinese = _is_chinese(text, language)
    text = _ABBREVIATION.sub(lambda match: ABBREVIATIONS_EN[match[0].lower()], text)
    text = _ROMAN.sub(lambda match: match[1] + roman(match[2]), text)
    text = _TOKEN.sub(partial(_slang, chinese=chinese), _repeats(text))
    text = re.sub(r"&", "和" if chinese else " and ", expand(text, chinese=chinese))
    shouted = not chinese and not re.search("[a-z]", text) and len(_WORD.findall(text)) > 2
    text = _WORD.sub(partial(_word, chinese=chinese, shouted=shouted), text)
    return [part for phrase in _phrases(_plain(text)) for part in _cut(phrase)]


def written(found: list[Phrase]) -> str:
    """Phrases as a text that any voice can read."""
    text = ""
    for phrase in found:
        chinese = phrase.runs[-1].language == "zh"
        text += " ".join(run.text for run in phrase.runs)
        text += dict(zip(MARKS, "，：…。！？", strict=True)).get(phrase.mark, "") if chinese else f"{phrase.mark} "
    return text.strip()


def _marked(text: str, emphasis: Sequence[tuple[int, int]]) -> str:
    """The text with marks around whole words that stand out."""
    text = re.sub(f"[{STAND_OUT}{ENOUGH}]", " ", text)
    for begin, end in sorted(emphasis, reverse=True):
        touched = [word.span() for word in _WHOLE.finditer(text) if word.start() < end and begin < word.end()]
        first = max(min([begin, *(one for one, _ in touched)]), 0)
        last = min(max([end, *(one for _, one in touched)]), len(text))
        if first < last:
            text = f"{text[:first]}{STAND_OUT}{text[first:last]}{ENOUGH}{text[last:]}"
    return text


def _clean(text: str, language: str) -> str:
    """Composed forms; no links, no emoji beside words, no invisible or foreign characters that nobody can say."""
    text = unicodedata.normalize("NFKC", text.translate(_BEFORE_NFKC)).replace("...", "…")
    text = re.sub(rf"(?<=[{HANZI}])\s+(?=[{HANZI}])", ",", text)  # Chinese writers put a space where they pause
    chinese = _is_chinese(text, language)
    text = _EMAIL.sub(EMAIL[0] if chinese else f" {EMAIL[1]} ", text)
    text = _URL.sub(LINK[0] if chinese else f" {LINK[1]} ", text)
    text = _FACE.sub(",", text)
    if not any(map(str.isalnum, text)):
        found = [emoji for emoji in dict.fromkeys(text) if emoji in EMOJI]
        return ",".join(EMOJI[emoji][language == "en"] for emoji in found[:2])
    return "".join(map(_character, text))


def _character(character: str) -> str:
    """A character as far as it can be said: itself, its plain form, a pause for a picture, or nothing."""
    if character == "の":
        return "的"
    if character == "°" or re.match(f"[A-Za-z{HANZI}々\n\t{STAND_OUT}{ENOUGH}]", character):
        return character
    category = unicodedata.category(character)
    if category[0] == "L":
        plain = unicodedata.normalize("NFKD", character)[0]
        return plain if plain.isascii() and plain.isalpha() else " "
    if category == "So":
        return ","
    return "" if category[0] in "CM" else character


def _is_chinese(text: str, otherwise: str) -> bool:
    """Whether Chinese is the text's first language: it has Hanzi, or no words but Chinese initials. `otherwise`: the
    language of a text without either.
    """
    words = {token.lower() for token in _TOKEN.findall(text) if not token[0].isdigit() or token.lower() in SLANG_ZH}
    if not words and otherwise == "en":
        return bool(re.search(f"[{HANZI}]", text))
    return bool(re.search(f"[{HANZI}]", text)) or words <= SLANG_ZH.keys() - SLANG_EN.keys()


def _repeats(text: str) -> str:
    """Nobody says 哈 twenty times: Hanzi three times at most; a letter twice in a word, once at its end."""
    text = re.sub(f"([{HANZI}])々", r"\1\1", text)
    text = re.sub(rf"([{HANZI}])\1{{3,}}", r"\1\1\1", text)
    text = re.sub(rf"([{HANZI}]{{2,4}})\1{{2,}}", r"\1\1", text)
    text = re.sub(r"(?i)([a-z]{2,3}?)\1{2,}", r"\1 \1 \1", text)
    text = re.sub(r"(?i)([a-z])\1{2,}(?![a-z])", r"\1", text)
    return re.sub(r"(?i)([a-z])\1{2,}", r"\1\1", text)


def _slang(match: re.Match[str], *, chinese: bool) -> str:
    """A token of letters, perhaps with digits: what it stands for."""
    token: str = match[0]
    if chinese:
        return SLANG_ZH.get(token.lower(), token)
    return SLANG_EN.get(token if len(token) == 1 else token.lower(), token)


def _word(match: re.Match[str], *, chinese: bool, shouted: bool) -> str:
    """A word of letters: spelled when it is an abbreviation, with its parts apart, and of a length that can be said."""
    word: str = match[0][:MAX_WORD]
    low = word.lower()
    if match["contracted"] is not None:
        return low
    if low in SAID_AS_WORDS or len(word) == 1:
        return low if shouted and low != "i" else word
    capitals = word.isupper() and not shouted
    if len(word) <= 5 and (
        (low in SPELLED and word.isupper()) or (capitals and chinese) or not re.search("[aeiouy]", low)
    ):
        return f" {' '.join(word.upper())} " if low.strip("hm") else word
    return low if shouted else re.sub("(?<=[a-z])(?=[A-Z])", " ", word)


def _plain(text: str) -> str:
    """Only Hanzi, words, spaces and marks."""
    text = re.sub(r"(?<=[A-Za-z])[-._](?=[A-Za-z])", " ", text.translate(_AS_MARK))
    text = re.sub(rf"(?<=[A-Za-z])[^A-Za-z{HANZI}{MARKS}{STAND_OUT}{ENOUGH}' ]+(?=[A-Za-z])", " ", text)
    return re.sub(rf"[^A-Za-z{HANZI}{MARKS}{STAND_OUT}{ENOUGH}' ]", "", text)


def _phrases(text: str) -> Iterator[Phrase]:
    runs: list[Run] = []
    mark = ""
    emphasis = False
    for match in _PIECE.finditer(text):
        hanzi, words, sign = match.groups()
        if sign:
            mark = max(mark, sign, key=lambda one: MARKS.index(one) if one else -1)
            continue
        if not hanzi and not words:
            emphasis = match[0] == STAND_OUT
            continue
        if mark:
            if runs:
                yield Phrase(tuple(runs), mark)
            runs, mark = [], ""
        runs.append(Run("zh", hanzi, emphasis) if hanzi else Run("en", re.sub(" +", " ", words), emphasis))
    if runs:
        yield Phrase(tuple(runs), mark)


def _cut(phrase: Phrase) -> Iterator[Phrase]:
    """The phrase, or pieces of it that are not over MAX_PHRASE."""
    runs: list[Run] = []
    room = MAX_PHRASE
    for run in phrase.runs:
        words = list(run.text) if run.language == "zh" else run.text.split(" ")
        cost, glue = (1, "") if run.language == "zh" else (3, " ")
        while len(words) * cost > room:
            fitting = room // cost
            if fitting:
                runs.append(replace(run, text=glue.join(words[:fitting])))
            yield Phrase(tuple(runs), "")
            runs, room, words = [], MAX_PHRASE, words[fitting:]
        runs.append(replace(run, text=glue.join(words)))
        room -= len(words) * cost
    yield Phrase(tuple(runs), phrase.mark)
