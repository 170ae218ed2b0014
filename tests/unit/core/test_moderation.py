"""Moderation catches what people disguise, and leaves everybody else alone."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from services.core.folding import digits, fold, joined, plain, syllables
from services.core.moderation import BUILT_IN, BadRules, Finding, Moderator

HARMLESS = Path(__file__).with_name("harmless_sentences.txt").read_text(encoding="utf-8").splitlines()
TRADITIONAL = str.maketrans(
    "湾独邓锦涛达赖领环泽连内亚胡马杀烧鸡奸轮阴茎种杂痴证办乐纳营复闻网赌药枪弹发约贱猪妈骂脑残废",
    "灣獨鄧錦濤達賴領環澤連內亞鬍馬殺燒雞姦輪陰莖種雜癡證辦樂納營復聞網賭藥槍彈髮約賤豬媽罵腦殘廢",
)

MODERATOR = Moderator.built_in()
CASES = yaml.safe_load(Path(__file__).with_name("moderation_cases.yaml").read_text(encoding="utf-8"))


def by_category(cases: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(text, category) for category, texts in cases.items() for text in texts]


@pytest.mark.parametrize("text", [line for line in HARMLESS if line.strip()])
def test_a_harmless_message_passes(text: str) -> None:
    assert MODERATOR.check(text, "input") is None


@pytest.mark.parametrize(("text", "category"), by_category(CASES["input"]))
def test_a_message_with_harm_in_it_is_refused_however_it_is_spelt(text: str, category: str) -> None:
    finding = MODERATOR.check(text, "input")
    assert finding is not None
    assert finding.category == category


@pytest.mark.parametrize("text", CASES["heard"])
def test_who_says_that_they_suffer_is_heard(text: str) -> None:
    assert MODERATOR.check(text, "input") is None


@pytest.mark.parametrize(("text", "category"), by_category(CASES["output"]))
def test_lydia_does_not_say_it(text: str, category: str) -> None:
    finding = MODERATOR.check(text, "output")
    assert finding is not None
    assert finding.category == category


@pytest.mark.parametrize("text", CASES["may_say"])
def test_lydia_may_say_it(text: str) -> None:
    assert MODERATOR.check(text, "output") is None


def test_every_sign_of_a_rule_is_read_whichever_of_its_forms_is_written() -> None:
    """Words are folded as texts are; what else a rule holds is not, and must be written as texts are read."""
    rules = yaml.safe_load(BUILT_IN.read_text(encoding="utf-8"))["rules"]
    written = "".join(text for rule in rules for name in ("patterns", "plain", "digits") for text in rule.get(name, ()))
    assert plain("".join(filter(str.isalpha, written))) == "".join(filter(str.isalpha, written)).lower()
    words = "".join(word for rule in rules for word in rule.get("words", ()))
    assert plain(words) == plain(words.translate(TRADITIONAL))


def test_a_flag_is_no_word_and_letters_of_flags_are() -> None:
    assert fold("🇸🇧🙂") == ""
    assert fold("🇫🇺🇨🇰") == "fuck"


def test_letters_of_other_scripts_are_read_as_what_they_look_like() -> None:
    assert fold("ꓝꓴꓚꓗ ᖴᑌᑕK ᏚᕼᎥᒡ") == "fuck fuck shiᒡ"


def test_light_signs_between_chinese_characters_are_looked_through() -> None:
    assert joined("六四 事·件、了吗") == "六四事件了吗"
    assert joined("我在家，微信聊 a b") == ""


def test_folding_undoes_separators_look_alikes_and_digits_for_letters() -> None:
    assert fold("加 薇.信, f.u.c.k sh1t") == "加薇信fuck shit"
    assert fold("Ａ\u200bＢ\u0301 Ⓒ") == "ab c"
    assert fold("我在家，微信聊") == "我在家 微信聊"


def test_plain_text_keeps_its_punctuation() -> None:
    assert plain("  Ｈｅｌｌｏ，  Wörld！ ") == "hello, world!"


def test_digits_are_joined_only_in_longer_runs() -> None:
    assert digits("一三八-零零一三 八零零零 和 一二三") == "13800138000 和 一二三"


def test_syllables_do_not_reach_across_a_gap() -> None:
    assert syllables(fold("我在家，微信聊")) == "wo zai jia | wei xin liao"


def test_an_operators_own_rules_are_added(tmp_path: Path) -> None:
    extra = tmp_path / "words.yaml"
    extra.write_text(
        "rules: [{name: spoiler, category: house, where: input, words: [大结局], allow: [没有大结局]}]", "utf-8"
    )
    moderator = Moderator.built_in(extra)
    assert moderator.check("大 结 局 是什么", "input") == Finding("spoiler", "house")
    assert moderator.check("没有大结局", "input") is None
    assert moderator.check("大结局", "output") is None
    assert moderator.check("傻逼", "input") is not None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rules: [{name: a, category: b, wrods: [c]}]", "wrods"),
        ("rules: [{name: a}]", "category"),
        ("- no rules", "valid dictionary"),
        ("rules: [{name: a, category: b, patterns: ['(']}]", "regular expression"),
        ("rules: [{name: a, category: b, words: ['…']}]", "neither letters nor digits"),
        ("rules: [", "cannot be read"),
    ],
)
def test_a_rule_file_that_cannot_be_used_says_why(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "words.yaml"
    path.write_text(text, "utf-8")
    with pytest.raises(BadRules, match=says):
        Moderator.built_in(path)


def test_a_missing_rule_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRules, match="cannot be read"):
        Moderator.built_in(tmp_path / "none.yaml")


@given(st.text(max_size=200))
def test_any_text_can_be_checked(text: str) -> None:
    MODERATOR.check(text, "input")
    MODERATOR.check(text, "output")


@pytest.mark.parametrize(
    "unit", ["加", "1", "a ", "傻 ", "1-", "a.", "0 ", "微信", "是", "路", "@a.", "一", "ﷺ", "㍿", "路 ", "🇨"]
)
def test_the_longest_message_is_checked_in_bounded_time(unit: str) -> None:
    text = (unit * 2000)[:2000]
    begin = time.perf_counter()
    MODERATOR.check(text, "input")
    assert time.perf_counter() - begin < 0.5
