"""How an unknown word of Latin letters is said: rules from letters to sounds, and a guess at the stress.

For names above all; ordinary words are in the lexicon. Sounds are written as in the lexicon.
"""

from __future__ import annotations

import re

# fmt: off
_RULES = (
    # letters, what must stand before, what must follow, sounds
    ("tch", "", "", "ʧ"), ("sch", "^", "", "ʃ"), ("sch", "", "", "sk"), ("tion", "", "$", "ʃᵊn"),
    ("sion", "", "$", "ʒᵊn"),
    ("cious", "", "$", "ʃəs"), ("tious", "", "$", "ʃəs"), ("ous", "", "$", "əs"), ("tial", "", "$", "ʃᵊl"),
    ("cial", "", "$", "ʃᵊl"), ("ture", "", "$", "ʧəɹ"), ("sure", "[aeiou]", "$", "ʒəɹ"), ("able", "", "$", "əbᵊl"),
    ("ible", "", "$", "əbᵊl"), ("ness", "", "$", "nəs"), ("less", "", "$", "ləs"), ("ment", "..", "$", "mᵊnt"),
    ("age", "[^aeiou]", "$", "ɪʤ"), ("ism", "", "$", "ɪzᵊm"),
    ("augh", "", "", "ɔ"), ("ough", "", "t", "ɔ"), ("ough", "", "", "O"), ("eigh", "", "", "A"), ("igh", "", "", "I"),
    ("gh", "^", "", "ɡ"), ("gh", "[aeiou]", "", ""), ("gh", "", "", "ɡ"),
    ("chr", "", "", "kɹ"), ("ch", "", "", "ʧ"), ("ck", "", "", "k"), ("ph", "", "", "f"), ("sh", "", "", "ʃ"),
    ("th", "", "", "θ"), ("wh", "", "", "w"), ("wr", "^", "", "ɹ"), ("kn", "^", "", "n"), ("gn", "^", "", "n"),
    ("ps", "^", "", "s"), ("pn", "^", "", "n"), ("mb", "", "$", "m"), ("rh", "", "", "ɹ"), ("dge", "", "$", "ʤ"),
    ("dg", "", "[eiy]", "ʤ"), ("dj", "", "", "ʤ"), ("zh", "", "", "ʒ"), ("kh", "", "", "k"),
    ("ng", "", "$", "ŋ"), ("ng", "", "[^aeiouylr]", "ŋ"), ("ng", "", "[eiy]", "nʤ"), ("n", "", "[kgxq]", "ŋ"),
    ("qu", "", "", "kw"), ("q", "", "", "k"),
    ("cc", "", "[eiy]", "ks"), ("sc", "", "[eiy]", "s"), ("ci", "", "a", "ʃ"), ("c", "", "[eiy]", "s"),
    ("c", "", "", "k"), ("g", "", "e|ia|io|y$", "ʤ"), ("gu", "^", "[ei]", "ɡ"), ("g", "", "", "ɡ"),
    ("x", "^", "", "z"), ("x", "", "", "ks"), ("ss", "", "", "s"), ("s", "[aeiou]", "e$", "z"),
    ("s", "[bdgvmnlrwaeiouy]", "$", "z"), ("s", "[aeiou]", "[aeiouy]", "z"),
    ("zz", "[aeiou]", "", "ts"), ("tz", "", "", "ts"), ("j", "", "", "ʤ"), ("y", "^", "[aeiou]", "j"),
    ("y", "[aeiou]", "[aeiou]", "j"), ("h", "[aeiou]", "$", ""), ("h", "[aeiou]", "[^aeiouy]", ""),
    ("ed", "[td]", "$", "ᵻd"), ("ed", "[^aeioutdrl].*[pkfsx]", "$", "t"),
    # vowels in groups
    ("ae", "", "", "A"), ("ai", "", "r", "ɛ"), ("ai", "", "", "A"), ("ay", "", "", "A"), ("ao", "", "", "W"),
    ("au", "", "", "ɔ"), ("aw", "", "", "ɔ"),
    ("eau", "", "", "O"), ("ea", "", "r[^aeiou]", "ɜ"), ("ea", "", "r", "ɪ"), ("ea", "", "d$|th", "ɛ"),
    ("eu", "", "", "u"), ("ew", "", "", "u"), ("ee", "", "r", "ɪ"), ("ee", "", "", "i"), ("ea", "", "", "i"),
    ("ei", "^", "", "I"), ("ei", "", "", "A"), ("ey", "", "$", "i"), ("ey", "", "", "A"), ("eo", "", "", "iO"),
    ("ie", "^.", "$", "I"), ("ie", "", "$", "i"), ("ie", "", "[ln]", "i"), ("ie", "", "", "i"), ("ii", "", "", "i"),
    ("io", "", "", "iO"), ("ia", "", "$", "iə"), ("ia", "", "n$", "iə"), ("ia", "", "", "iɑ"), ("iu", "", "", "iu"),
    ("oa", "", "", "O"), ("oe", "", "$", "O"), ("oi", "", "", "Y"), ("oy", "", "", "Y"), ("oo", "", "k", "ʊ"),
    ("oo", "", "r", "ɔ"), ("oo", "", "", "u"), ("ou", "", "r", "ɔ"), ("ou", "", "", "W"), ("ow", "", "$", "O"),
    ("ow", "", "", "W"),
    ("ue", "", "$", "u"), ("ui", "", "", "u"), ("ua", "", "", "wɑ"), ("uo", "", "", "wO"),
    # a vowel before r
    ("ar", "w", "", "ɔɹ"), ("arr", "", "[aeiouy]", "ɛɹ"), ("ar", "", "e$", "ɛɹ"), ("ar", "..", "d$|y$", "əɹ"),
    ("ar", "", "", "ɑɹ"), ("er", "", "[aeiou]", "ɛɹ"), ("er", "[aeiouy].*", "", "əɹ"), ("er", "", "", "ɜɹ"),
    ("ire", "", "$", "Iəɹ"), ("ir", "", "[aeiou]", "ɪɹ"), ("ir", "", "", "ɜɹ"), ("or", "w", "", "ɜɹ"),
    ("or", "[aeiouy].*", "$", "əɹ"), ("or", "", "", "ɔɹ"), ("ure", "", "$", "jʊɹ"), ("ur", "", "[aeiou]", "ʊɹ"),
    ("ur", "", "", "ɜɹ"), ("yr", "", "[aeiou]", "ɪɹ"),
    # a long vowel: before one consonant and a final e, or at a short word's end
    ("a", "", "[bcdfgjklmnpstvz]e$|ste$|nge$", "A"), ("e", "", "[bcdfgklmnpstvz]e$", "i"),
    ("i", "", "[bcdfgklmnpstvz]e$", "I"), ("y", "", "[bcdfgklmnpstvz]e$", "I"), ("o", "", "[bcdfgklmnpstvz]e$", "O"),
    ("u", "[rjlsc]", "[bcdfgklmnpstvz]e$", "u"), ("u", "", "[bcdfgklmnpstvz]e$", "ju"),
    ("le", "[bcdfgkpstz]", "$", "ᵊl"), ("es", "(?:sh|ch|[sxz])", "$", "ᵻz"), ("e", "[aeiouy].*[^aeiou]", "$", ""),
    ("e", "^[^aeiou]*", "$", "i"), ("e", "", "$", "i"),
    ("y", "^[^aeiouy]*", "$", "I"), ("y", "", "$", "i"), ("y", "", "[aeiou]", "i"), ("y", "", "", "ɪ"),
    ("i", "", "$", "i"), ("i", "", "[aeo]", "i"), ("i", "", "nd$|ld$", "I"), ("o", "", "$", "O"),
    ("o", "", "ld|ll$|st$|lt", "O"), ("u", "", "$", "u"), ("a", "", "$", "ə"), ("a", "", "ll", "ɔ"),
    ("a", "w", "", "ɑ"),
    ("a", "", "lk", "ɔ"),
    ("a", "", "[bcdfgjklmnpstvz][aeiou]", "ɑ"), ("e", "", "[bcdfgjklmnpstvz][aeiouy]", "ɛ"),
    ("o", "", "[bcdfgjklmnpstvz][aeiouy]", "O"), ("u", "", "[bcdfgjklmnpstvz][aeiouy]", "u"),
    ("a", "", "", "æ"), ("e", "", "", "ɛ"), ("i", "", "", "ɪ"), ("o", "", "", "ɑ"), ("u", "", "", "ʌ"),
    ("b", "", "", "b"), ("d", "", "", "d"), ("f", "", "", "f"), ("h", "", "", "h"), ("k", "", "", "k"),
    ("l", "", "", "l"), ("m", "", "", "m"), ("n", "", "", "n"), ("p", "", "", "p"), ("r", "", "", "ɹ"),
    ("s", "", "", "s"), ("t", "", "", "t"), ("v", "", "", "v"), ("w", "[aeiou]", "$", ""), ("w", "", "", "w"),
    ("z", "", "", "z"),
)
# fmt: on
"""In the order in which they are tried at a place of the word."""
_COMPILED = tuple(
    (letters, re.compile(f"(?:{before})$") if before else None, re.compile(after) if after else None, sounds)
    for letters, before, after, sounds in _RULES
)
_DOUBLED = re.compile(r"([bdfgklmnprtvw])\1")
_NUCLEUS = re.compile("[AIOQWYaiuæɑɔəɛɜɪʊʌᵻᵊ]")
_REDUCED = frozenset("əᵻᵊ")
_WEAK = {"æ": "ə", "ɛ": "ə", "ɑ": "ə", "ʌ": "ə"}
"""What a short vowel becomes right after or before the stressed syllable's neighbour."""


def pronounce(word: str) -> str:
    """Sounds with one primary stress. `word`: lower-case letters a to z."""
    word = _DOUBLED.sub(r"\1", word)
    sounds = ""
    at = 0
    while at < len(word):
        for letters, before, after, said in _COMPILED:
            if (
                word.startswith(letters, at)
                and (before is None or before.search(word[:at]))
                and (after is None or after.match(word, at + len(letters)))
            ):
                sounds += said
                at += len(letters)
                break
        else:
            at += 1
    return _stressed(sounds)


def _stressed(sounds: str) -> str:
    """Stress on the last syllable but one of a word that ends in a full vowel or is long, else on the first."""
    nuclei = [match.start() for match in _NUCLEUS.finditer(sounds)]
    full = [at for at in nuclei if sounds[at] not in _REDUCED]
    if not full:
        return sounds
    late = len(nuclei) > 2 and nuclei[-1] == len(sounds) - 1 and sounds[nuclei[-2]] not in _REDUCED
    stress = nuclei[-2] if late else full[0]
    weak = [
        _WEAK.get(one, one) if at in nuclei and at != stress and at > stress and at != nuclei[-1] else one
        for at, one in enumerate(sounds)
    ]
    return "".join(weak[:stress]) + "ˈ" + "".join(weak[stress:])
