"""Viewers are addressed by what can be said of their names."""

from __future__ import annotations

import pytest

from services.chat.names import MOST_HANZI, MOST_LETTERS, spoken
from services.core.moderation import Moderator

MODERATOR = Moderator.built_in()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("小明", "小明"),
        ("✨小星星✨", "小星星"),
        ("用户3827194820", "用户"),
        ("A&B", "A B"),
        ("ｌｕｃｋｙ", "lucky"),
        ("哈哈哈哈哈哈", "哈哈"),
        ("😀", None),
        ("", None),
        ("____", None),
    ],
)
def test_a_name_is_reduced_to_what_can_be_spoken(name: str, said: str | None) -> None:
    assert spoken(name, MODERATOR) == said


def test_long_names_are_cut_to_a_breath() -> None:
    assert len(spoken("天" + "地玄黄宇宙洪荒日月盈昃辰宿列张", MODERATOR) or "") <= MOST_HANZI
    assert len(spoken("Bartholomew Maximilian of Nowhere", MODERATOR) or "") <= MOST_LETTERS


def test_a_name_that_must_not_be_said_is_not_said() -> None:
    assert spoken("加微信abc12345", MODERATOR) is None
    assert spoken("Lydia是傻瓜", MODERATOR) is None
