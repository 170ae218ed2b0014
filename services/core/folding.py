"""Folds the ways in which people spell around a word list into one plain spelling.

The results are for comparing only: they are not what a viewer wrote and are never shown or spoken.
"""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from pathlib import Path

from pypinyin import lazy_pinyin

HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff"

_LOOK_ALIKES = {
    # Cyrillic, Greek, small capitals and other letters that look like Latin ones
    **dict(zip("абвгдезиклмнорстухьѕіјԁһөѡ", "abbgdezuklmhopctyxbsijdhow", strict=True)),
    **dict(zip("αβγδεηικλμνορτυχω", "abydeniklmvoptuxw", strict=True)),
    **dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢıøłđɑɡƒօսոհ", "abcdefghijklmnoprstuvwyzioldagfounh", strict=True)),
    **{chr(first + i): chr(ord("a") + i) for first in (0x1F150, 0x1F170, 0x1F1E6) for i in range(26)},
    **dict(zip("ᗩᑕᗴǥᑎᗝɋᔕᗯ᙭ƴ", "acegnoqswxy", strict=True)),
    # signs that are read as a word
    **dict.fromkeys("❤♥💗💓💕💖💘💙💚💛💜🖤🧡💞♡", "心"),
    **dict.fromkeys("➕✚✛", "+"),
    **dict.fromkeys("☎📞📱🤙", "电话"),
    **dict.fromkeys("🐧", "企鹅"),
    **dict.fromkeys("✈🛩🛫", "飞机"),
    **dict.fromkeys("🐴🐎", "马"),
    **dict.fromkeys("💰💵🧧", "钱"),
    "。": ".",
}
_SAME_SIGNS = json.loads(Path(__file__).with_name("same_signs.json").read_bytes())
"""Each sign with all those that stand for it: a simplified character with its traditional forms (Unicode CLDR 42,
Hant-Hans), a Latin letter with other scripts' letters that look like it (Unicode confusables).
"""
_TABLE = str.maketrans({form: sign for sign, forms in _SAME_SIGNS.items() for form in forms} | _LOOK_ALIKES)
_PHRASES = dict.fromkeys(map(ord, "ﷺﷻ㈝㈞㉼㌀㌂㌄㌇㌓㌕㌖㌗㌙㌚㌠㌡㌫㌭㌮㌲㌴㌶㌻㌽㍀㍇㍊㍌㍔㍖㎮㎯"), " ")
"""Signs that NFKC writes out as more than four: a message of them would grow to many times its length."""
_FILLERS = "\u115f\u1160"
"""Letters of Hangul that nobody sees; NFKD makes them of the other two, U+3164 and U+FFA0."""
_FLAG = re.compile("(?<![🇦-🇿])[🇦-🇿]{2}(?![🇦-🇿])")
"""A country's, while three and more of its letters spell a word."""
_SPACES = re.compile(r"\s+")

_NUMERALS = ("零〇洞", "一壹幺弌", "二贰两", "三叁", "四肆", "五伍", "六陆", "七柒拐", "八捌", "九玖勾")
"""Ways to write 0 to 9."""
_FIGURES = str.maketrans({sign: str(i) for i, signs in enumerate(_NUMERALS) for sign in signs} | {"o": "0", "l": "1"})
_NUMERAL = "0-9" + "".join(_NUMERALS)
_GAP = r"[ .·_*~()/-]"
_NUMERAL_RUN = re.compile(rf"[{_NUMERAL}](?:{_GAP}{{0,2}}[{_NUMERAL}ol]){{4,}}")
_IN_NUMERALS = re.compile(_GAP)

_BETWEEN_HAN = re.compile(
    rf"(?<=[{HAN}])[\s.·•・、*_~|/\\+=^\-—\u200b-\u200f\u2060\ufeff\u115f\u1160\u3164\uffa0]+(?=[{HAN}])"
)
_PLUS = re.compile(rf"\+(?= ?[{HAN}vwq])")
_WITHIN_WORD = re.compile(r"(?<=[a-z])[._*'~-]+(?=[a-z])")
_NO_LETTER = re.compile(r"(?<![a-z])[@!|]|[@!|](?![a-z])|(?<![a-z$])\$(?![a-z])")
_RUNS = re.compile(rf"[{HAN}]+|[a-z0-9@$!|]+|[^\W_a-z0-9{HAN}]+|[\W_]+")
_LEET = str.maketrans("01345789@$!|", "oieastbgasil")
_LEET_WORD = re.compile(r"(?=[a-z0-9]*[a-z@$!|])(?=[a-z]*[0-9@$!|])[a-z0-9@$!|]{4,}")


def plain(text: str) -> str:
    """One spelling of each character: NFKC, lower case, no accents or invisible characters, look-alike letters and
    traditional characters replaced. Punctuation stays; white space becomes single spaces.
    """
    if not text.isascii():
        parts = unicodedata.normalize("NFKD", text.casefold().translate(_PHRASES))
        parts = _FLAG.sub(" ", parts)
        seen = "".join(c for c in parts if unicodedata.category(c) not in ("Mn", "Me", "Cf") and c not in _FILLERS)
        text = unicodedata.normalize("NFKC", seen.translate(_TABLE))
    return _SPACES.sub(" ", text.lower()).strip()


def digits(plain_text: str) -> str:
    """Plain text in which runs of five or more digits stand without gaps and in Arabic figures only."""
    return _NUMERAL_RUN.sub(lambda run: _IN_NUMERALS.sub("", run.group()).translate(_FIGURES), plain_text)


def fold(text: str) -> str:
    """Only words, single spaces between them; what was put between the parts of a word is gone, and so are digits and
    signs that stand for letters.

    `fold("加 薇.信, f.u.c.k sh1t")` is "加薇信fuck shit".
    """
    flat = _NO_LETTER.sub(" ", _WITHIN_WORD.sub("", _PLUS.sub("加", plain(text))))
    folded, last, gap = "", "", False
    for run in _RUNS.findall(flat):
        if not (run[0] in "@$!|" or run[0].isalnum()):
            gap = bool(last)
            continue
        if gap and not _spelled_out(last, run):
            folded += " "
        folded, last, gap = folded + run, run, False
    return _LEET_WORD.sub(_letters, folded)


def joined(text: str) -> str:
    """Folded, with nothing left of spaces and light signs between Chinese characters; empty when there were none.

    For long words only: "我在家 微信聊" becomes "我在家微信聊".
    """
    without = _BETWEEN_HAN.sub("", text)
    return fold(without) if without != text else ""


def syllables(folded: str) -> str:
    """Folded text with each Chinese character as its pinyin without tone: "加v信 好的 ok" becomes
    "jia v xin | hao de | ok". The bar stands where Chinese words were apart.
    """
    spoken, last = "", ""
    for word in folded.split(" "):
        gap = " | " if last and not (last.isascii() and word[:1].isascii()) else " "
        parts = (run if run.isascii() else " ".join(map(_pinyin, run)) for run in _RUNS.findall(word))
        spoken, last = spoken + gap + " ".join(parts), word[-1:]
    return spoken.strip()


def _spelled_out(left: str, right: str) -> bool:
    """Whether a gap stands inside a word: between two single letters, or beside a single Chinese character."""
    if left.isascii() and right.isascii():
        return len(left) == len(right) == 1 and left.isalpha() and right.isalpha()
    return any(len(run) == 1 and not run.isascii() for run in (left, right))


def _letters(word: re.Match[str]) -> str:
    """Undoes digits and signs for letters where most of the word is letters."""
    found = word.group()
    return found.translate(_LEET) if 2 * sum(c.isalpha() for c in found) >= len(found) else found


@lru_cache(maxsize=8192)
def _pinyin(character: str) -> str:
    return str(lazy_pinyin(character)[0])
