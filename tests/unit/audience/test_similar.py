"""Which messages mean the same."""

from __future__ import annotations

import pytest

from services.audience.similar import SimilarIndex, form_of

SAME = [
    ("你叫什么名字？", "你叫什么名字"),
    ("你叫什么名字", "主播你叫什么名字呀"),
    ("你叫什么名字", "请问你叫什么名字呢？？"),
    ("你叫什么名字", "你叫什么明字"),
    ("哈哈哈哈", "哈哈哈哈哈哈哈"),
    ("66666", "666"),
    ("你喜欢什么颜色", "你最喜欢什么颜色"),
    ("What is your name?", "what is your name"),
    ("what is your name", "hey Lydia, what is your name please"),
    ("Ｗｈａｔ is your name", "what is your name"),
    ("唱首歌吧", "唱首歌"),
]
DIFFERENT = [
    ("你喜欢猫吗", "你喜欢狗吗"),
    ("你今天吃了什么", "你昨天吃了什么"),
    ("能不能唱一首周杰伦的晴天", "能不能唱一首周杰伦的稻香"),
    ("1加1等于几", "1加2等于几"),
    ("3乘以12等于多少", "3乘以1等于多少"),
    ("do you like cats", "do you like rats"),
    ("你好", "你坏"),
    ("我爱你", "我不爱你"),
    ("where are you from", "how old are you"),
    ("？", "！"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_the_same_meaning_is_found(one: str, other: str) -> None:
    index: SimilarIndex[str] = SimilarIndex()
    index.add(one, form_of(one))
    assert index.find(form_of(other)) == one


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_questions_stay_apart(one: str, other: str) -> None:
    index: SimilarIndex[str] = SimilarIndex()
    index.add(one, form_of(one))
    assert index.find(form_of(other)) is None


def test_what_was_removed_is_not_found() -> None:
    index: SimilarIndex[str] = SimilarIndex()
    for text in ("你叫什么名字", "你喜欢什么颜色"):
        index.add(text, form_of(text))
    index.remove("你叫什么名字")
    assert index.find(form_of("你叫什么名字呀")) is None
    assert index.find(form_of("你最喜欢什么颜色")) == "你喜欢什么颜色"


def test_of_several_the_nearest_is_found() -> None:
    index: SimilarIndex[str] = SimilarIndex()
    for text in ("你喜欢什么颜色的花", "你喜欢什么颜色"):
        index.add(text, form_of(text))
    assert index.find(form_of("你最喜欢什么颜色")) == "你喜欢什么颜色"
