"""Hanzi as syllables of pinyin: words, readings, and tones as they change in speech."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pypinyin import Style, lazy_pinyin
from pypinyin.seg.mmseg import seg

from services.speech.polyphones import CONTEXTS, PHRASES

NEUTRAL_WORDS = frozenset(
    """
    爸爸 妈妈 哥哥 姐姐 弟弟 妹妹 爷爷 奶奶 叔叔 舅舅 姑姑 宝宝 娃娃 星星 太太 先生 朋友 东西 漂亮 喜欢 知道 明白
    告诉 认识 意思 时候 事情 地方 消息 衣服 头发 眼睛 耳朵 鼻子 嘴巴 舌头 脑袋 肚子 胳膊 身上 晚上 早上 路上 天上
    地上 里面 外面 上面 下面 前面 后面 这里 那里 哪里 这边 那边 进来 出来 回来 过来 起来 上来 下来 进去 出去 回去
    过去 上去 下去 看看 听听 想想 说说 试试 等等 谢谢 走走 聊聊 玩玩 问问 猜猜 什么 怎么 这么 那么 多么 我们 你们
    他们 她们 它们 咱们 人们 大家伙 孩子 桌子 椅子 房子 车子 杯子 盘子 筷子 裙子 裤子 帽子 鞋子 袜子 镜子 本子 日子
    样子 影子 句子 名字 豆腐 馒头 石头 木头 骨头 里头 外头 念头 舒服 清楚 热闹 便宜 暖和 凉快 客气 厉害 聪明 糊涂
    老实 麻烦 奇怪 精神 力气 运气 福气 脾气 主意 关系 休息 商量 打听 打扮 收拾 招呼 答应 合适 学生 医生 大夫 师傅
    老婆 丈夫 亲戚 邻居 月亮 太阳 云彩 萝卜 葡萄 蘑菇 故事 笑话 本事 生意 学问 规矩 行李 钥匙 窗户 扫帚 点心 早点儿
    一点儿 有点儿 一会儿 这儿 那儿 哪儿 玩意儿 待会儿 觉得 记得 值得 舍得 懂得 显得 好处 坏处 用处 哆嗦 啰嗦 疙瘩
    嘟囔 唠叨 将就 凑合 琢磨 折腾
    """.split()  # noqa: SIM905
)
"""Words whose last syllable loses its tone."""
OWN_WORDS = NEUTRAL_WORDS | PHRASES.keys()

PARTICLES = frozenset("的地得了着过吗呢吧啊呀哦哟嘛啦喽们")
"""They lean on the word before them."""

# fmt: off
READINGS = {
    "嗯": "en1", "欸": "ei4", "诶": "ei4", "呣": "mu4", "哼": "heng1", "噷": "heng1", "哟": "you1", "唷": "you1",
    "喔": "wo1", "呃": "e4", "嗷": "ao1", "嘤": "ying1", "咯": "lo5", "喵": "miao1", "汪": "wang1",
}
# fmt: on
NUMERALS = frozenset("零〇一二三四五六七八九十两幺第初百")
_FIRST = re.compile(
    "(?<=周)一(?![百次个回遍集期更场节])|(?<=星期|礼拜)一|(?<=[唯之统专逐])一(?!百)"
    "|一(?=点(?!一[点滴])[零一二三四五六七八九])|(?<=点)一(?=[万亿])"
)
"""一 as a figure, or a day of the week: 一点五万, 周一, 唯一, but 每周一次."""
EMPHATIC = frozenset("最太真超绝")
_SYLLABLE = re.compile(r"([a-zü]+)([1-5])")


@dataclass(frozen=True, slots=True)
class Syllable:
    """One Hanzi as it is said."""

    base: str
    """Pinyin without its tone; v for ü."""
    tone: int
    """1 to 4; 5 is neutral. Third tones before third tones are left to the voice."""
    focus: bool
    """It carries its phrase's focus."""


def words(hanzi: str) -> list[list[Syllable]]:
    """The words of a phrase's Hanzi, particles with the word before them. A Hanzi without a reading is left out."""
    found = list(_doubled(_known(hanzi)))
    readings = _readings(hanzi, found)
    focus = _focus(hanzi, readings)
    spoken: list[list[Syllable]] = []
    at = 0
    for word in found:
        syllables = [
            Syllable(base, tone, at + place == focus)
            for place, (base, tone) in enumerate(readings[at : at + len(word)])
            if base
        ]
        at += len(word)
        if spoken and word in PARTICLES and len(spoken[-1]) < 3:
            spoken[-1] += syllables
        elif syllables:
            spoken.append(syllables)
    return spoken


def _known(hanzi: str) -> Iterator[str]:
    """Cuts out our own words, longest first, and leaves the rest to the dictionary of readings."""
    start = at = 0
    while at < len(hanzi):
        size = next((size for size in (3, 2) if hanzi[at : at + size] in OWN_WORDS), 0)
        if size:
            yield from seg.cut(hanzi[start:at])
            yield hanzi[at : at + size]
            start = at + size
        at += size or 1
    yield from seg.cut(hanzi[start:])


def _doubled(parts: Iterator[str]) -> Iterator[str]:
    pending = ""
    for part in parts:
        if pending and part == pending and len(part) == 1:
            yield pending + part
            pending = ""
            continue
        if pending:
            yield pending
        pending = part
    if pending:
        yield pending


def _readings(hanzi: str, found: list[str]) -> list[tuple[str, int]]:
    """Base and tone of each Hanzi, as words change them; ("", 0) where there is no reading."""
    pinyin = [reading for word in found for reading in _pinyin(word)]
    plain = []
    for one, reading in zip(hanzi, pinyin, strict=True):
        match = _SYLLABLE.fullmatch(READINGS.get(one, reading))
        plain.append((match[1].replace("ü", "v"), int(match[2])) if match else ("", 0))
    at = 0
    alone = set()
    for word in found:
        at += len(word)
        if len(word) == 1:
            alone.add(at - 1)
        if word in NEUTRAL_WORDS or (word == "得" and at > 1):
            plain[at - 1] = ("de" if word == "得" else plain[at - 1][0], 5)
    for context, meant in CONTEXTS:
        for match in context.finditer(hanzi):
            if match.end() - 1 in alone:
                plain[match.end() - 1] = meant
    return [(base, _changed(hanzi, index, tone, plain)) for index, (base, tone) in enumerate(plain)]


def _pinyin(word: str) -> list[str]:
    """Each Hanzi's syllable, with its tone as a figure; empty where there is none."""
    if word in PHRASES:
        return PHRASES[word].split()
    read = lazy_pinyin([word], style=Style.TONE3, neutral_tone_with_five=True, v_to_u=False)
    return read if len(read) == len(word) else [""] * len(word)


def _changed(hanzi: str, index: int, tone: int, plain: list[tuple[str, int]]) -> int:
    """The tone of 一 or 不 before what follows; any other tone as it is."""
    one = hanzi[index]
    if one not in "一不":
        return tone
    before = hanzi[index - 1] if index else ""
    after = hanzi[index + 1] if index + 1 < len(hanzi) else ""
    if before and before == after and before not in NUMERALS:  # 看一看, 好不好
        return 5
    following = plain[index + 1][1] if after else 0
    if one == "不":
        return 2 if following == 4 else 4
    if (
        not after
        or _FIRST.match(hanzi, index)
        or before in NUMERALS
        or (after in NUMERALS and after not in "百两")
        or after in "月号"
    ):
        return 1
    return 2 if following in (4, 5) else 4


def _focus(hanzi: str, readings: list[tuple[str, int]]) -> int | None:
    """Which Hanzi carries the phrase's focus: the first emphatic word, else the last syllable that has a tone."""
    full = [index for index, (_, tone) in enumerate(readings) if 0 < tone < 5]
    emphatic = [index for index in full if hanzi[index] in EMPHATIC]
    return emphatic[0] if emphatic else full[-1] if full else None
