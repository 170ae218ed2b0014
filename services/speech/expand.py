"""Written forms that are not words (numbers, dates, prices, units …) as the words people say for them.

Each rule is a pattern and how a match is said in Mandarin and in English. The language of a match is that of the words
around it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from services.speech.numbers import (
    en_cardinal,
    en_decade,
    en_digits,
    en_fraction,
    en_number,
    en_ordinal,
    en_year,
    zh_cardinal,
    zh_digits,
    zh_number,
)
from services.speech.tables import COUNTED, CURRENCIES, MEASURES, SLANG_DIGITS, UNITS

HANZI = r"〇\u3400-\u4dbf\u4e00-\u9fff"
_LETTER = re.compile(f"[A-Za-z{HANZI}]")
NUMBER = r"\d+(?:\.\d+)?"
GROUPED = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
DASH = r"\s?[-~–—至到]\s?"
_ALONE = rf"(?![\d:/%°]|[.,]\d|\s?(?:[{MEASURES}]|[a-zA-Z]))"
_MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905
)
_UNIT = "|".join(re.escape(unit) for unit in sorted(UNITS, key=len, reverse=True))
_MONEY = "|".join(re.escape(sign) for sign in sorted(CURRENCIES, key=len, reverse=True))
_LABELS = (
    "号码|编号|房号|房间号?|群号?|电话|手机号?|尾号|密码|验证码|邮编|代码|QQ|ID|UID|uid|id|code|number|phone|call|room"
    "|dial|(?:help|hot)line(?: is)?"
)


class Rule(NamedTuple):
    """`zh` and `en` say a match; None leaves it as it is."""

    pattern: re.Pattern[str]
    zh: Callable[[re.Match[str]], str | None]
    en: Callable[[re.Match[str]], str | None]


def expand(text: str, *, chinese: bool) -> str:
    """The text without digits, units or signs of arithmetic. `chinese`: what the text is as a whole."""
    for rule in RULES:
        text = rule.pattern.sub(partial(_say, rule, chinese), text)
    return text


def _say(rule: Rule, chinese: bool, match: re.Match[str]) -> str:
    if _is_chinese(match, chinese):
        said = rule.zh(match)
        return match[0] if said is None else said
    said = rule.en(match)
    return match[0] if said is None else f" {said} "


def _is_chinese(match: re.Match[str], whole: bool) -> bool:
    """Whether a match is said in Chinese: a Hanzi is the nearest letter on one of its sides."""
    before = _LETTER.search(match.string[: match.start()][::-1])
    after = _LETTER.search(match.string[match.end() :])
    return any(whole if side is None else side[0] > "z" for side in (before, after))


def _plain(number: str) -> str:
    return number.replace(",", "")


def _zh_amount(number: str, following: str) -> str:
    """A quantity: a lone 2 is 两 before what it counts."""
    number = _plain(number)
    if number == "2" and following[:1] and following[0] in MEASURES:
        return "两"
    return zh_number(number)


def _zh_date(match: re.Match[str]) -> str | None:
    year, month, day = match["year"], match["month"], match["day"]
    if not (1 <= int(month) <= 12 and 1 <= int(day) <= 31):
        return None
    return f"{zh_digits(year)}年{zh_cardinal(month)}月{zh_cardinal(day)}日"


def _en_date(match: re.Match[str]) -> str | None:
    if not (1 <= int(match["month"]) <= 12 and 1 <= int(match["day"]) <= 31):
        return None
    return f"{_MONTHS[int(match['month']) - 1]} {en_ordinal(match['day'])}, {en_year(match['year'])}"


def _zh_time(match: re.Match[str]) -> str:
    hour, minute, second, half = match["hour"], match["minute"], match["second"], (match["half"] or "").lower()
    said = {"a": "上午", "p": "下午"}.get(half[:1], "")
    said += ("两" if int(hour) == 2 else zh_cardinal(hour)) + "点"
    if int(minute) or second:
        said += ("零" if minute[0] == "0" and int(minute) else "") + zh_cardinal(minute) + "分"
    return said + (f"{zh_cardinal(second)}秒" if second else "")


def _en_time(match: re.Match[str]) -> str:
    hour, minute, half = int(match["hour"]), match["minute"], (match["half"] or "").lower()
    half = half[:1] or ("a" if hour in (0, 24) else "p" if hour > 12 else "")
    said = en_cardinal(str((hour - 1) % 12 + 1))
    if int(minute):
        said += (" oh " if minute[0] == "0" else " ") + en_cardinal(minute)
    elif not half:
        said += " o'clock"
    return said + (f" {half} m" if half else "")


def _zh_money(match: re.Match[str]) -> str:
    number = _plain(match["number"])
    number = number.rstrip("0").rstrip(".") if "." in number else number
    scale = match["scale"] or ""
    scale = {"k": "千", "w": "万", "m": "百万", "b": "十亿"}.get(scale[:1].lower(), scale)
    unit = CURRENCIES[match["sign"].lower()][0]
    start = f"{zh_number(_plain(match['from']))}到" if match["from"] else ""
    return start + _zh_amount(number, scale or unit) + scale + unit


def _en_money(match: re.Match[str]) -> str:
    _, unit, cents = CURRENCIES[match["sign"].lower()]
    whole, _, fraction = _plain(match["number"]).partition(".")
    scale = {"k": "thousand", "m": "million", "b": "billion"}.get((match["scale"] or "")[:1].lower(), "")
    if scale or not cents or len(fraction) != 2 or match["from"]:
        numbers = _both(match)
        counted = unit if scale or len(numbers) > 1 else _en_counted(numbers[0], unit)
        return " ".join(filter(None, (" to ".join(map(en_number, numbers)), scale, counted)))
    parts = [f"{en_cardinal(whole)} {_en_counted(whole, unit)}"] if int(whole) or not int(fraction) else []
    parts += [f"{en_cardinal(fraction)} {_en_counted(fraction, cents)}"] if int(fraction) else []
    return " and ".join(parts)


def _en_counted(number: str, plural: str) -> str:
    """The word for what is counted, singular for one."""
    if number.lstrip("0") != "1" or plural == "pence":
        return plural
    first, *rest = plural.split(" ")
    return " ".join(["foot" if first == "feet" else first.removesuffix("s"), *rest])


def _is_name(match: re.Match[str]) -> bool:
    """Whether a capital after a number is a name rather than a unit: 5G, 4K, but 10K, 5V."""
    unit: str = match["unit"]
    return len(unit) == 1 and unit.isupper() and unit not in "VL" and not (unit in "KW" and len(match["number"]) > 1)


def _zh_unit(match: re.Match[str]) -> str | None:
    if _is_name(match):
        return None
    unit = UNITS[match["unit"].lower()][0]
    sign = ("零下" if "°" in match["unit"] else "负") if match["sign"] else ""
    more = "超过" if match["more"] else ""
    if match["unit"] in ("k", "K") and "." not in match["number"]:
        return more + sign + zh_cardinal(_plain(match["number"]) + "000")
    return more + sign + "到".join(_zh_amount(number, unit) for number in _both(match)) + unit


def _en_unit(match: re.Match[str]) -> str | None:
    if _is_name(match):
        return None
    number, unit = match["number"], UNITS[match["unit"].lower()][1]
    sign = "minus " if match["sign"] else ""
    return f"{sign}{' to '.join(map(en_number, _both(match)))} {_en_counted(number, unit)}"


def _both(match: re.Match[str]) -> list[str]:
    """The number of a match, or the two of a range."""
    return [_plain(number) for number in (match["from"], match["number"]) if number]


def _zh_percent(match: re.Match[str]) -> str:
    of = {"%": "百分之", "‰": "千分之"}[match["sign"]]
    return "到".join(("负" if match["minus"] else "") + of + zh_number(number) for number in _both(match))


def _en_percent(match: re.Match[str]) -> str:
    of = {"%": "percent", "‰": "per mille"}[match["sign"]]
    return f"{'minus ' if match['minus'] else ''}{' to '.join(map(en_number, _both(match)))} {of}"


def _zh_long(match: re.Match[str]) -> str | None:
    digits = re.sub(r"\D", "", match[0])
    following = match.string[match.end() :].lstrip()[:1]
    if digits.endswith("0000") or (following and following in MEASURES):
        return None
    return zh_digits(digits, one="幺")


def _zh_range(match: re.Match[str]) -> str:
    first, second = match["from"], match["number"]
    following = match.string[match.end() :].lstrip()
    if re.fullmatch(r"\d{4}", first) and following.startswith("年"):
        return f"{zh_digits(first)}到{zh_digits(second)}"
    if "-" in match[0] and float(first) > float(second):  # a score
        return f"{zh_number(first)}比{zh_number(second)}"
    return f"{_zh_amount(first, following)}到{_zh_amount(second, following)}"


def _zh_year(match: re.Match[str]) -> str:
    digits = match[1]
    return zh_cardinal(digits) if digits.endswith("000") and digits != "2000" else zh_digits(digits)


def _en_plain(match: re.Match[str]) -> str:
    number = match[0]
    if re.fullmatch(r"1[1-9]\d\d|2[01]\d\d|20\d\d", number):
        return en_year(number)
    return en_number(_plain(number))


def _slang_number(match: re.Match[str]) -> str | None:
    digits = match[0]
    if digits in SLANG_DIGITS:
        return SLANG_DIGITS[digits]
    if re.fullmatch(r"23{2,}", digits):
        return "二三三"
    if re.fullmatch(r"5{3,}", digits):
        return "呜呜呜"
    if re.fullmatch(r"(6)\1{1,}|(9)\2{2,}|(1)\3{2,}", digits):
        return zh_digits(digits[:3])
    return None


def _rule(pattern: str, zh: Callable[[re.Match[str]], str | None], en: Callable[[re.Match[str]], str | None]) -> Rule:
    return Rule(re.compile(pattern, re.IGNORECASE | re.ASCII), zh, en)


_OPERATORS = {
    "+": ("加", "plus"),
    "-": ("减", "minus"),
    "×": ("乘", "times"),
    "*": ("乘", "times"),
    "x": ("乘", "times"),
    "÷": ("除以", "divided by"),
    "=": ("等于", "equals"),
    ">": ("大于", "is greater than"),
    "<": ("小于", "is less than"),
}

RULES = (
    _rule(r"(?<![a-z])c\+\+", lambda _: " C plus plus ", lambda _: "C plus plus"),
    _rule(r"(?<![a-z])c#", lambda _: " C sharp ", lambda _: "C sharp"),
    _rule(r"(?<!\d)(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)", _zh_date, _en_date),
    _rule(r"(?<=\d:\d\d)\s?[-~–]\s?(?=\d{1,2}:\d\d)", lambda _: "到", lambda _: "to"),
    _rule(
        r"(?<!\d)(?P<hour>[01]?\d|2[0-3]|24(?=:00)):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?!\d)"
        r"(?:\s?(?P<half>[ap]\.?m\b\.?))?",
        _zh_time,
        _en_time,
    ),
    _rule(
        r"(?<![\d.])(?P<hour>\d{1,2})\s?(?P<half>[ap])\.?m\b\.?",
        lambda m: f"{'上午' if m['half'] in 'aA' else '下午'}{_zh_amount(m['hour'], '点')}点",
        lambda m: f"{en_cardinal(m['hour'])} {m['half']} m",
    ),
    _rule(r"(?<=\d):(?=\d)", lambda _: "比", lambda _: "to"),
    _rule(
        rf"(?<=\d)\s?-\s?(?={NUMBER}(?:\s?[-+×*÷]\s?{NUMBER})*\s?(?:=|等于|equals))", lambda _: "减", lambda _: "minus"
    ),
    _rule(rf"(?<=\d[日号月{MEASURES}])\s?[-~–]\s?(?=\d)", lambda _: "到", lambda _: None),
    _rule(
        r"(?<![\d.])([12])米(\d\d)(?![\d.])", lambda m: f"{_zh_amount(m[1], '米')}米{zh_digits(m[2])}", lambda _: None
    ),
    # telephone numbers, account numbers, codes
    _rule(
        r"(?<![\d.])(?:\+\d{1,3}[- ])?"
        r"(?:\d{3,4}-\d{7,8}|\d{3}-\d{3,4}-\d{4}|1[3-9]\d[ -]\d{4}[ -]\d{4}|\d{8,})(?![\d.]\d)",
        _zh_long,
        lambda m: None if m[0].endswith("0000") else en_digits(re.sub(r"\D", "", m[0])),
    ),
    _rule(
        rf"(?<![a-z])(?P<label>{_LABELS})(?P<gap>[\s:是为#]*)(?P<digits>\d{{3,}})(?![\d.]\d)",
        lambda m: f"{m['label']}{m['gap']}{zh_digits(m['digits'], one='幺')}",
        lambda m: f"{m['label']}{m['gap']} {en_digits(m['digits'])}",
    ),
    _rule(rf"(?<![\w.,:/%¥$€£+-])\d+{_ALONE}", _slang_number, lambda _: None),
    _rule(r"(?<![\d.,])0\d+(?![\d.])", lambda m: zh_digits(m[0]), lambda m: en_digits(m[0])),
    _rule(
        rf"(?P<sign>{_MONEY})\s?(?:(?P<from>{GROUPED}){DASH}(?:{_MONEY})?)?(?P<number>{GROUPED})"
        r"(?:\s?(?P<scale>[万亿]|(?:[kwmb]|million|billion)(?![a-z])))?",
        _zh_money,
        _en_money,
    ),
    _rule(
        rf"(?<![\d.])(?P<minus>-(?=\d))?(?:(?P<from>{NUMBER})%?{DASH})?(?P<number>{NUMBER})\s?(?P<sign>[%‰])",
        _zh_percent,
        _en_percent,
    ),
    _rule(r"(?<![\w.])(\d0|\d\d\d0)s(?![a-z0-9])", lambda _: None, lambda m: en_decade(m[1])),
    _rule(
        rf"(?<![\w.])({NUMBER})\s?([mb])(?![a-z0-9/])",
        lambda _: None,
        lambda m: f"{en_number(m[1])} {'million' if m[2] == 'M' else 'billion'}" if m[2].isupper() else None,
    ),
    _rule(
        rf"(?<![\w.])(?P<sign>-)?(?:(?P<from>{NUMBER}){DASH})?(?P<number>{GROUPED})\s?(?P<unit>{_UNIT})(?![a-z0-9/])(?P<more>\+)?",
        _zh_unit,
        _en_unit,
    ),
    _rule(r"(?<![\d/])24/7(?![\d/])", lambda _: "全天候", lambda _: "twenty four seven"),
    _rule(
        r"(?<![\d/.])(\d{1,3})[/⁄](\d{1,3})(?![\d/.])",
        lambda m: f"{zh_cardinal(m[2])}分之{zh_cardinal(m[1])}",
        lambda m: en_fraction(m[1], m[2]) if int(m[2]) > 1 else None,
    ),
    # versions and addresses
    _rule(
        r"\d+(?:\.\d+){2,}",
        lambda m: "点".join(map(zh_cardinal, m[0].split("."))),
        lambda m: " point ".join(map(en_cardinal, m[0].split("."))),
    ),
    _rule(
        rf"(?<![\w.-])(?P<from>{NUMBER}){DASH}(?P<number>{NUMBER})(?![\w.]\d|-)",
        _zh_range,
        lambda m: f"{en_number(m['from'])} to {en_number(m['number'])}",
    ),
    _rule(r"(?<!\d)(\d{4})(?=\s?年)", _zh_year, lambda _: None),
    _rule(r"(?<!\d)([5-9]\d)(?=年(?![代前后来间内多里以了]))", lambda m: zh_digits(m[1]), lambda _: None),
    _rule(r"(?<!\d)(\d0)(?=后)", lambda m: zh_digits(m[1]), lambda _: None),
    # ordinals
    _rule(r"第\s?(\d+)", lambda m: f"第{zh_cardinal(m[1]).replace('两', '二')}", lambda _: None),
    _rule(
        r"(?:\bno\.?\s?|(?<!\w)#(?=\d\d?(?!\d)))(\d+)",
        lambda m: f"第{zh_cardinal(m[1])}",
        lambda m: f"number {en_cardinal(m[1])}",
    ),
    _rule(r"(?<!\d)(\d+)(?:st|nd|rd|th)\b", lambda m: f"第{zh_cardinal(m[1])}", lambda m: en_ordinal(m[1])),
    # arithmetic, and counts of gifts
    _rule(
        r"(?<=\d)\s*([+×÷=*x<>])\s*(?=-?\d)",
        lambda m: _OPERATORS[m[1].lower()][0],
        lambda m: _OPERATORS[m[1].lower()][1],
    ),
    _rule(r"(?<=[a-z0-9])\s*=\s*(?=-?[a-z0-9])", lambda _: "等于", lambda _: "equals"),
    _rule(
        r"(?<![A-Za-z])[x×*]\s?(\d+)(?![\d.]*[A-Za-z])",
        lambda m: f"{_zh_amount(m[1], '个')}个",
        lambda m: f"times {en_cardinal(m[1])}",
    ),
    _rule(
        rf"({GROUPED})([万亿]?)\+",
        lambda m: f"{zh_number(_plain(m[1]))}{m[2]}多",
        lambda m: f"{en_number(_plain(m[1]))} plus",
    ),
    _rule(r"(?<![\w.])\+(?=\d)", lambda _: "加", lambda _: "plus"),
    _rule(r"(?<![\w.])[-−](?=\d)", lambda _: "负", lambda _: "minus"),
    _rule(r"(?<=[a-z_])\d{3,}(?!\d)", lambda m: zh_digits(m[0]), lambda m: en_digits(m[0])),
    _rule(rf"(?<!\bin )(?<![\w.,])(\d+)(?= (?:{'|'.join(COUNTED)})\b)", lambda _: None, lambda m: en_cardinal(m[1])),
    _rule(GROUPED, lambda m: _zh_amount(m[0], m.string[m.end() :].lstrip()), _en_plain),
)
"""In the order in which they are tried."""
