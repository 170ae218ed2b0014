"""Numbers as words, in Mandarin and English. Numbers come as strings of ASCII digits, so none is too long."""

from __future__ import annotations

ZH_DIGITS = "零一二三四五六七八九"
ZH_PLACES = ("", "十", "百", "千")
ZH_GROUPS = ("", "万", "亿", "万亿")

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
EN_ONES = tuple(_ONES.split())
EN_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
EN_GROUPS = ("", "thousand", "million", "billion", "trillion")
EN_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
EN_FRACTIONS = {"2": ("half", "halves"), "4": ("quarter", "quarters")}


def zh_digits(digits: str, *, one: str = "一") -> str:
    """Digit by digit: 110 → 一一零. `one="幺"` for telephone numbers."""
    return "".join(one if digit == "1" else ZH_DIGITS[int(digit)] for digit in digits)


def zh_cardinal(digits: str) -> str:
    """A whole number: 12000 → 一万两千. Over 16 digits it is read digit by digit."""
    digits = digits.lstrip("0")
    if not digits:
        return "零"
    if len(digits) > 4 * len(ZH_GROUPS):
        return zh_digits(digits)
    groups = [digits[max(0, end - 4) : end].zfill(4) for end in range(len(digits), 0, -4)]
    words = ""
    for index in range(len(groups) - 1, -1, -1):
        group = groups[index]
        if group == "0000":
            continue
        if words and group[0] == "0":
            words += "零"
        words += _zh_group(group, leads=not words, named=index > 0) + ZH_GROUPS[index]
    return words


def _zh_group(group: str, *, leads: bool, named: bool) -> str:
    """Four digits. `leads`: nothing stands before them; `named`: 万 or 亿 follows, before which a lone 2 is 两."""
    if named and group == "0002":
        return "两"
    words, gap = "", False
    for place, digit in zip((3, 2, 1, 0), group, strict=True):
        if digit == "0":
            gap = bool(words)
            continue
        if gap:
            words += "零"
            gap = False
        if digit == "1" and place == 1 and leads and not words:
            words += "十"
        elif digit == "2" and place >= 2:
            words += "两" + ZH_PLACES[place]
        else:
            words += ZH_DIGITS[int(digit)] + ZH_PLACES[place]
    return words


def zh_number(number: str) -> str:
    """A number that may have a fraction: 3.14 → 三点一四."""
    whole, _, fraction = number.partition(".")
    return zh_cardinal(whole) + (f"点{zh_digits(fraction)}" if fraction else "")


def en_digits(digits: str) -> str:
    """Digit by digit: 110 → one one zero."""
    return " ".join(EN_ONES[int(digit)] for digit in digits)


def en_cardinal(digits: str) -> str:
    """A whole number: 1200 → one thousand two hundred. Over 15 digits it is read digit by digit."""
    digits = digits.lstrip("0")
    if not digits:
        return "zero"
    if len(digits) > 3 * len(EN_GROUPS):
        return en_digits(digits)
    words: list[str] = []
    groups = [digits[max(0, end - 3) : end] for end in range(len(digits), 0, -3)]
    for group, name in reversed(list(zip(groups, EN_GROUPS, strict=False))):
        if int(group):
            words += [*_en_group(int(group)), *([name] if name else [])]
    return " ".join(words)


def _en_group(number: int) -> list[str]:
    words = []
    if number >= 100:
        words += [EN_ONES[number // 100], "hundred"]
        number %= 100
    if number >= 20:
        words.append(EN_TENS[number // 10])
        number %= 10
    if number:
        words.append(EN_ONES[number])
    return words


def en_number(number: str) -> str:
    """A number that may have a fraction: 3.14 → three point one four."""
    whole, _, fraction = number.partition(".")
    return en_cardinal(whole) + (f" point {en_digits(fraction)}" if fraction else "")


def en_ordinal(digits: str) -> str:
    """21 → twenty first."""
    *front, last = en_cardinal(digits).split()
    if last in EN_ORDINALS:
        last = EN_ORDINALS[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return " ".join([*front, last])


def en_year(digits: str) -> str:
    """Four digits as a year: 2112 → twenty one twelve, 2005 → two thousand five, 1900 → nineteen hundred."""
    century, rest = digits[:2], digits[2:]
    if century.endswith("0") and rest < "10":
        return en_cardinal(digits)
    if rest == "00":
        return f"{en_cardinal(century)} hundred"
    return f"{en_cardinal(century)} {'oh ' if rest < '10' else ''}{en_cardinal(rest)}"


def en_decade(digits: str) -> str:
    """Two or four digits that end in 0: 90 → nineties, 1800 → eighteen hundreds."""
    *front, last = (en_cardinal(digits) if len(digits) == 2 else en_year(digits)).split()
    return " ".join([*front, last[:-1] + "ies" if last.endswith("y") else f"{last}s"])


def en_fraction(numerator: str, denominator: str) -> str:
    """2/3 → two thirds."""
    singular, plural = EN_FRACTIONS.get(denominator, (en_ordinal(denominator), f"{en_ordinal(denominator)}s"))
    return f"{en_cardinal(numerator)} {singular if int(numerator) == 1 else plural}"


def roman(numeral: str) -> str:
    """Digits of a Roman numeral below 40: XIV → 14."""
    values = [{"I": 1, "V": 5, "X": 10}[sign] for sign in numeral]
    return str(sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True)))
