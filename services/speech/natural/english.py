"""English words as the network's symbols: a lexicon, endings, letters, compounds, and rules for what nobody knows.

The lexicon's notation is the network's own: capitals for diphthongs (A eɪ, I aɪ, O oʊ, W aʊ, Y ɔɪ), ˈ and ˌ right
before the stressed vowel. Function words stand in it without stress, some with a stronger form for the end of a phrase.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Protocol

from services.speech.natural.letters import pronounce
from services.speech.natural.phones import SPACE, Phone
from services.speech.natural.pinyin import UnknownSyllable, syllable

Entry = str | Mapping[str, str | None]
"""A pronunciation, or one for each part of speech; `None` in it is the form at a phrase's end."""

PRIMARY, SECONDARY = "ˈ", "ˌ"
AT_END = "None"
VOWELS = frozenset("AIOQWYaiuæɑɒɔəɛɜɪʊʌᵻᵊɐ")
_TAPPED = frozenset("AIOWYiuæɑəɛɪɹʊʌ")
"""After these an American t before a vowel is a tap."""
_SAID_AS = str.maketrans({"ɾ": "T", "ʔ": "t"})
"""The network's symbol for the tap is T."""

# fmt: off
IPA = {
    "A": "eɪ", "I": "aɪ", "O": "oʊ", "W": "aʊ", "Y": "ɔɪ", "ʤ": "dʒ", "ʧ": "tʃ", "T": "ɾ", "ᵊ": "ə", "ᵻ": "ɪ",
}
_NOUN_AFTER = """
    a an the my your his her its our their this that these those some any no every each one two three new
"""
_VERB_AFTER = """
    to i you we they he she who will would can could should must may might don't do did does didn't doesn't won't can't
    cannot let's let please not never always just gonna i'll you'll we'll they'll i'd you'd and
"""
_PAST_AFTER = """
    have has had i've you've we've they've was were been be is are am it's i'm you're we're they're already
"""
NOUN_AFTER, VERB_AFTER, PAST_AFTER = (frozenset(words.split()) for words in (_NOUN_AFTER, _VERB_AFTER, _PAST_AFTER))
"""What a following word is, as far as a heteronym's reading goes: "to live" and "a live show"."""
EXTRA: Mapping[str, Entry] = {
    "yay": "jˈA", "hehe": "hˌihˈi", "hmph": "hˈʌmf", "mwah": "mwˈɑ", "wifi": "wˈIfˌI", "douyin": "dˌOjˈɪn",
    "bilibili": "bˌɪlibˈɪli", "livestream": "lˈIvstɹˌim", "livestreams": "lˈIvstɹˌimz", "hmm": "hˈʌm", "hm": "hˈʌm",
    "mm": "ˈʌm", "tiktok": "tˈɪktˌɑk", "emoji": "ɪmˈOʤi", "vtuber": "vˈitˌubəɹ", "selfie": "sˈɛlfi",
    "cosplay": "kˈɑsplˌA",
    "weibo": "wˈAbˌO", "wechat": "wˈiʧˌæt", "anime": "ˈænəmˌA", "iphone": "ˈIfˌOn", "chatbot": "ʧˈætbˌɑt",
    "genshin": "ɡˈɛnʃɪn", "honkai": "hˈɑnkI", "baidu": "bIdˈu",
}
"""Words of live rooms that the lexicon lacks."""
# fmt: on
_COMPOUND_PART = 3
"""Letters of the shortest word that may be part of an unknown compound."""


@dataclass(frozen=True, slots=True)
class _Around:
    """What decides between a word's forms."""

    before: str
    """The word before, in lower case; empty at the beginning."""
    after: str
    before_vowel: bool | None
    """Whether a vowel follows; None at a phrase's end."""


class Lexicon(Protocol):
    """Words that are known: services/speech/natural/files.py, services/speech/model/letters/words.py."""

    def get(self, word: str, /) -> Entry | None:
        """How the word is said, written just so; None when it is not known."""


class English:
    """Reads words."""

    def __init__(self, lexicon: Lexicon, letters: Callable[[str], str] = pronounce) -> None:
        """`letters`: says an unknown word by its letters, a to z."""
        self._lexicon = lexicon
        self._letters = letters

    def phones(self, text: str, *, ends_phrase: bool = True, emphasis: Collection[int] = ()) -> list[Phone]:
        """Words of letters and apostrophes with single spaces between. `ends_phrase`: nothing follows them. `emphasis`:
        the numbers of words that stand out.
        """
        words = _letters_joined(text.split())
        numbers = list(accumulate(map(len, words), initial=0))
        found: list[list[Phone]] = []
        before_vowel: bool | None = None if ends_phrase else False
        for index in range(len(words) - 1, -1, -1):
            around = _Around(
                words[index - 1][0].lower() if index else "",
                words[index + 1][0].lower() if index + 1 < len(words) else "",
                before_vowel,
            )
            said = self._word(words[index], around)
            phones = _phones(said.translate(_SAID_AS)) if isinstance(said, str) else said
            if any(number in emphasis for number in range(numbers[index], numbers[index + 1])):
                phones = [replace(phone, emphasis=True) for phone in phones]
            found.append(phones)
            first = next((phone for phone in found[-1] if phone.ipa), None)
            if first is not None:
                before_vowel = first.symbols.lstrip(PRIMARY + SECONDARY)[:1] in VOWELS
        joined: list[Phone] = []
        for word in reversed(found):
            joined += [SPACE, *word] if joined else word
        return joined

    def _word(self, letters: list[str], around: _Around) -> str | list[Phone]:
        """`letters`: one word, or single capitals that are spelled as one name."""
        if len(letters) > 1:
            return self._spelled("".join(letters))
        word = letters[0]
        stress = None if word == word.lower() else (2.0 if word.isupper() and len(word) > 1 else 0.5)
        return (
            _special(word, around) or self._known(word, stress, around) or self._unknown(word.lower(), stress, around)
        )

    def _unknown(self, word: str, stress: float | None, around: _Around) -> str | list[Phone]:
        return self._ended(word, stress, around) or self._compound(word, around) or self._name(word)

    def _known(self, word: str, stress: float | None, around: _Around) -> str | None:
        for form in dict.fromkeys((word, word.lower(), word.capitalize())):
            entry = EXTRA.get(form) or self._lexicon.get(form)
            if entry is not None:
                return _restressed(_read(entry, word.lower(), around), stress)
        return self._spelled(word.upper()) if len(word) == 1 and word.isalpha() else None

    def _ended(self, word: str, stress: float | None, around: _Around) -> str | None:
        """A known word with an ending."""
        for ending, letters, said in _ENDINGS:
            if len(word) < len(ending) + 2 or not word.endswith(ending):
                continue
            stem = word[: -len(ending)]
            for whole in (stem + letters,) if letters else _stems(stem, ending):
                known = self._known(whole, stress, around) if len(whole) > 1 else None
                if known:
                    return said(known)
        return None

    def _compound(self, word: str, around: _Around) -> str | None:
        """Two known words, written as one: the second gives way."""
        for cut in range(len(word) - _COMPOUND_PART, _COMPOUND_PART - 1, -1):
            if word[cut - 1 : cut + 1] in ("sh", "th", "ch", "ph"):
                continue
            first = self._lexicon.get(word[:cut])
            second = self._lexicon.get(word[cut:]) or self._ended(word[cut:], None, around)
            if first and second:
                parts = _read(first, word, around), _read(second, word, around)
                return parts[0] + parts[1].replace(PRIMARY, SECONDARY)
        return None

    def _name(self, word: str) -> str | list[Phone]:
        """A word that nobody knows: a Chinese name in pinyin, or whatever its letters say."""
        plain = re.sub("'s?$", "", word)
        said = _pinyin(plain) or self._letters(re.sub("[^a-z]", "", plain))
        if isinstance(said, str) and word.endswith("'s"):
            return _s(said)
        return said

    def _spelled(self, letters: str) -> str:
        """Letter by letter, the last one stressed most."""
        said = "".join(_restressed(_read(self._lexicon.get(letter) or "", "", _NOWHERE), 0) for letter in letters)
        before, mark, last = said.rpartition(SECONDARY)
        return before + PRIMARY + last if mark else said


_NOWHERE = _Around("", "", False)


def _letters_joined(words: Sequence[str]) -> list[list[str]]:
    """Single capitals that stand together are one spelled name; any other word stands alone."""
    joined: list[list[str]] = []
    spelling = False
    for word in words:
        single = len(word) == 1 and word.isupper()
        if single and spelling:
            joined[-1].append(word)
        else:
            joined.append([word])
        spelling = single
    return joined


def _special(word: str, around: _Around) -> str | None:
    """Words whose sound depends on what follows."""
    low = word.lower()
    if low == "a":
        return "ɐ" if around.after else "ˈA"
    if low == "an":
        return "ɐn"
    if word == "I":
        return f"{SECONDARY}I"
    if low == "am" and around.before_vowel is not None:
        return "ɐm"
    if low == "to":
        return {None: "tu", False: "tə", True: "tʊ"}[around.before_vowel]
    if low == "in":
        return "ˈɪn" if around.before_vowel is None else "ɪn"
    if low == "the":
        return "ði" if around.before_vowel else "ðə"
    if low == "used" and around.after == "to":
        return "jˈust"
    return None


def _read(entry: Entry, word: str, around: _Around) -> str:
    if isinstance(entry, str):
        return entry
    if around.before_vowel is None and AT_END in entry:
        return entry[AT_END] or ""
    return entry.get(_part_of_speech(word, entry, around)) or entry["DEFAULT"] or ""


def _part_of_speech(word: str, entry: Mapping[str, str | None], around: _Around) -> str:
    if around.before in PAST_AFTER and "VBN" in entry:
        return "VBN"
    if around.before in VERB_AFTER or (word == "live" and around.after in ("in", "on", "at", "here", "there", "with")):
        return "VERB"
    if around.before in NOUN_AFTER and word not in ("close", "live"):
        return "NOUN"
    return "DEFAULT"


def _restressed(said: str, stress: float | None) -> str:
    """`stress` 0: no more than secondary; 0.5: at least secondary; 2: primary; None as it is."""
    if stress is None or not said:
        return said
    if stress == 0 and PRIMARY in said:
        return said.replace(SECONDARY, "").replace(PRIMARY, SECONDARY)
    if PRIMARY not in said and SECONDARY not in said and any(one in VOWELS for one in said):
        at = next(index for index, one in enumerate(said) if one in VOWELS)
        return said[:at] + (PRIMARY if stress > 1 else SECONDARY) + said[at:]
    if stress > 1 and PRIMARY not in said:
        return said.replace(SECONDARY, PRIMARY, 1)
    return said


def _phones(said: str) -> list[Phone]:
    found: list[Phone] = []
    mark = ""
    for one in said:
        if one in (PRIMARY, SECONDARY):
            mark = one
            continue
        stress = {PRIMARY: 2, SECONDARY: 1}.get(mark, 0)
        found.append(Phone(mark + one, IPA.get(one, one), stress))
        mark = ""
    return found


def _s(stem: str) -> str:
    if stem[-1:] in tuple("ptkfθ"):
        return f"{stem}s"
    return f"{stem}ᵻz" if stem[-1:] in tuple("szʃʒʧʤ") else f"{stem}z"


def _ed(stem: str) -> str:
    if stem[-1:] in tuple("pkfθʃsʧ"):
        return f"{stem}t"
    if stem[-1:] == "t" and stem[-2:-1] in _TAPPED:
        return f"{stem[:-1]}ɾᵻd"
    return f"{stem}ᵻd" if stem[-1:] in tuple("dt") else f"{stem}d"


def _ing(stem: str) -> str:
    tapped = stem[-1:] == "t" and stem[-2:-1] in _TAPPED
    return f"{stem[:-1]}ɾɪŋ" if tapped else f"{stem}ɪŋ"


def _er(stem: str) -> str:
    tapped = stem[-1:] == "t" and stem[-2:-1] in _TAPPED
    return f"{stem[:-1]}ɾəɹ" if tapped else f"{stem}əɹ"


_ENDINGS: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    # ending, letters that the whole word has in its place (none: those of `_stems`), sound
    ("ies", "y", _s),
    ("ied", "y", _ed),
    ("ier", "y", _er),
    ("iest", "y", lambda stem: f"{stem}əst"),
    ("ily", "y", lambda stem: f"{stem[:-1]}əli"),
    ("'s", "", _s),
    ("s'", "", _s),
    ("'ll", "", lambda stem: f"{stem}ᵊl"),
    ("'ve", "", lambda stem: f"{stem}əv"),
    ("'re", "", lambda stem: f"{stem}əɹ"),
    ("'d", "", _ed),
    ("in'", "", lambda stem: f"{stem}ɪn"),
    ("'", "", lambda stem: stem),
    ("s", "", _s),
    ("es", "", _s),
    ("ed", "", _ed),
    ("d", "e", _ed),
    ("ing", "", _ing),
    ("er", "", _er),
    ("est", "", lambda stem: f"{stem}əst"),
    ("ly", "", lambda stem: f"{stem}li"),
    ("less", "", lambda stem: f"{stem}ləs"),
    ("ness", "", lambda stem: f"{stem}nəs"),
    ("ish", "", lambda stem: f"{stem}ɪʃ"),
)


def _stems(stem: str, ending: str) -> tuple[str, ...]:
    """How the whole word may be written: as it is, with the e that the ending took, without the doubled letter."""
    if ending in ("ed", "ing", "er", "est", "in'", "ish"):
        single = (stem[:-1],) if len(stem) > 2 and stem[-1] == stem[-2] else ()
        return (stem, f"{stem}e", *single)
    return (stem,)


def _pinyin(word: str) -> list[Phone] | None:
    """The word as a Chinese name, or None when its letters are no pinyin or could as well be a European name's."""
    parts = _syllables(word)
    if not parts or not re.search("x|q|zh|[aiou]ng?$|[iu]a|a[io]|uo|ui|ou|ei", word) or len(word) < 4:
        return None
    found: list[Phone] = []
    for part in parts:
        # Without tones nothing is wrong; level ones sound like a name that is read out.
        found += syllable(part, 1, 1)
    return found


def _syllables(word: str) -> list[str] | None:
    """The fewest syllables of pinyin that the word consists of."""
    best: list[list[str] | None] = [[]] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - 6), end):
            before = best[start]
            if before is None or not _is_syllable(word[start:end]):
                continue
            now = best[end]
            if now is None or len(before) + 1 < len(now):
                best[end] = [*before, word[start:end]]
    return best[-1]


def _is_syllable(part: str) -> bool:
    if part in ("m", "n", "ng", "hm", "hng", "r") or part[0] in "iuv" or re.fullmatch("[^bpmflwy]o", part):
        return False
    try:
        syllable(part, 1, 1)
    except UnknownSyllable:
        return False
    return True
