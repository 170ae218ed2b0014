"""Hanzi are read with the tones and in the words that people use."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.speech.espeak.voice import UNREADABLE, mandarin
from services.speech.mandarin import words


def said(hanzi: str) -> str:
    return " ".join("".join(f"{s.base}{s.tone}" for s in word) for word in words(hanzi))


@pytest.mark.parametrize(
    ("hanzi", "expected"),
    [
        ("你好", "ni3hao3"),
        ("谢谢", "xie4xie5"),
        ("妈妈", "ma1ma5"),
        ("朋友", "peng2you5"),
        ("漂亮", "piao4liang5"),
        ("什么", "shen2me5"),
        ("我们", "wo3men5"),
        ("一个", "yi2ge4"),
        ("一天", "yi4 tian1"),
        ("一起", "yi4qi3"),
        ("第一名", "di4yi1ming2"),
        ("二零二一", "er4 ling2 er4 yi1"),
        ("一百", "yi4bai3"),
        ("十一", "shi2 yi1"),
        ("看一看", "kan4 yi5 kan4"),
        ("不是", "bu2shi4"),
        ("不好", "bu4hao3"),
        ("银行", "yin2hang2"),
        ("行不行", "xing2 bu5xing2"),
        ("长大", "zhang3da4"),
        ("觉得", "jue2de5"),
        ("睡觉", "shui4jiao4"),
        ("音乐", "yin1yue4"),
        ("快乐", "kuai4le4"),
        ("说得对", "shuo1de5 dui4"),
        ("好了吗", "hao3le5ma5"),
        ("重庆", "chong2qing4"),
        ("绿色", "lv4 se4"),
        ("一点五万", "yi1dian3 wu3 wan4"),
        ("一点一滴", "yi4dian3 yi4 di1"),
        ("二零一零年", "er4 ling2 yi1 ling2 nian2"),
        ("周一到星期一", "zhou1 yi1 dao4 xing1qi1 yi1"),
        ("每周一次", "mei3 zhou1 yi2 ci4"),
        ("礼拜一见", "li3 bai4 yi1 jian4"),
        ("唯一的", "wei2 yi1de5"),
        ("之一就是统一", "zhi1 yi1 jiu4 shi4 tong3 yi1"),
        ("百分之一百", "bai3fen1 zhi1 yi4bai3"),
        ("嗯", "en1"),
        ("〇", "ling2"),
    ],
)
def test_words_tones_and_their_changes(hanzi: str, expected: str) -> None:
    assert said(hanzi) == expected


@pytest.mark.parametrize(
    ("one", "reading", "hanzi"),
    [
        ("地", "de5", "诚实地说 慢慢地走 开心地笑 翻来覆去地想 温柔地看 悄悄地"),
        (
            "地",
            "di4",
            "扫地机 特地来 满地都是 这块地很大 我的地方 住在地下室 坐地铁去 目的地到了 把地扫了 脚踏实地做 天王盖地虎",
        ),
        ("长", "chang2", "夜最长 头发好长 时间太长了 多长时间 记性不长 好长一段 三米长 歌长呀"),
        ("长", "zhang3", "长大 长得高 孩子长了 又长高了 长什么样 班长好 长这么好看 不长痘 群长吗 舰长"),
        ("数", "shu3", "数星星 数着数着就乱了 数到你 我来数三下 数一数"),
        ("数", "shu4", "一个数 人数在涨 次数多 数学课 有多数到场 数十年前"),
        ("着", "zhao2", "睡不着 猜不着 够不着 睡得着"),
        ("着", "zhe5", "听着 看着我 空着"),
        ("得", "dei3", "我得走了 你得去 还得等 必须得来 得先问 我得知道"),
        ("得", "de2", "我得了第一 他得奖了"),
        ("得", "de5", "跑得快 我觉得 说得对"),
        ("调", "tiao2", "把音乐调轻 把灯调暗 调成静音"),
        ("调", "diao4", "小调 跑调了"),
        ("种", "zhong4", "种着花 种田 他种了树"),
        ("种", "zhong3", "那种 两种 种子"),
        ("只", "zhi1", "那只猫 两只"),
        ("只", "zhi3", "那只好走了 只有你 我只说"),
        ("还", "huan2", "船慢慢还 把钱还了"),
        ("还", "hai2", "还没睡 把灯还开着"),
        ("空", "kong4", "空着"),
        ("空", "kong1", "天空 空调"),
        ("转", "zhuan4", "转了一圈 躺着转"),
        ("转", "zhuan3", "转头 转告他"),
    ],
)
def test_hanzi_of_several_readings_are_read_as_their_neighbours_ask(one: str, reading: str, hanzi: str) -> None:
    for phrase in hanzi.split():
        syllables = [f"{syllable.base}{syllable.tone}" for word in words(phrase) for syllable in word]
        assert syllables[phrase.index(one)] == reading, phrase


@pytest.mark.parametrize(
    ("hanzi", "focus"),
    [("我爱你", "ni"), ("太可爱了", "tai"), ("你好吗", "hao"), ("谢谢", "xie")],
)
def test_the_focus_is_on_the_emphatic_word_or_the_last_one_with_a_tone(hanzi: str, focus: str) -> None:
    marked = [syllable for word in words(hanzi) for syllable in word if syllable.focus]
    assert [syllable.base for syllable in marked] == [focus]


@settings(deadline=None)
@given(st.text(alphabet=st.characters(min_codepoint=0x3400, max_codepoint=0x9FFF), max_size=40))
def test_any_hanzi_give_syllables_that_the_voice_can_read(hanzi: str) -> None:
    for word in words(hanzi):
        for syllable in word:
            assert re.fullmatch("[a-z]+", syllable.base) or syllable.base in UNREADABLE
            assert 1 <= syllable.tone <= 5


def test_syllables_that_look_english_to_the_voice_are_spelled_in_its_phonemes() -> None:
    assert mandarin(words("熊猫")) == "[[S;jong35]] mao1"
    assert mandarin(words("你好")) == "ni3hao3"
