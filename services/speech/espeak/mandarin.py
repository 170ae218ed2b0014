"""Hanzi as the numbered pinyin that espeak-ng's voice `cmn-latn-pinyin` reads."""

from __future__ import annotations

from pypinyin import Style, lazy_pinyin
from pypinyin.seg.mmseg import seg


def pinyin_words(text: str) -> list[list[str]]:
    """Words of syllables with tone numbers 1 to 5, after tone sandhi."""
    words = list(seg.cut(text))
    syllables = iter(lazy_pinyin(words, style=Style.TONE3, neutral_tone_with_five=True, tone_sandhi=True, v_to_u=False))
    return [[next(syllables) for _ in word] for word in words]
