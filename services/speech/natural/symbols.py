"""Her symbols and their numbers, as her own text2speech network knows them.

They are those of the open network that taught it, as far as she says them. 0 stands before and after every text.
"""

from __future__ import annotations

from collections.abc import Mapping

# fmt: off
NUMBERS: Mapping[str, int] = {
    # marks
    ":": 2, ",": 3, ".": 4, "!": 5, "?": 6, "…": 10, " ": 16, "ˈ": 156, "ˌ": 157,
    # tones, and the breath after a consonant
    "↓": 169, "→": 171, "↗": 172, "↘": 173, "ʰ": 162,
    # consonants
    "ʦ": 20, "ʨ": 21, "ꭧ": 23, "T": 36, "b": 44, "d": 46, "f": 48, "h": 50, "j": 52, "k": 53, "l": 54, "m": 55, "n": 56,
    "p": 58, "s": 61, "t": 62, "v": 64, "w": 65, "x": 66, "z": 68, "ɕ": 77, "ð": 81, "ʤ": 82, "ɡ": 92, "ɥ": 99,
    "ŋ": 112, "θ": 119, "ɹ": 123, "ɻ": 126, "ʂ": 130, "ʃ": 131, "ʧ": 133, "ʒ": 147,
    # vowels; capitals are diphthongs
    "A": 24, "I": 25, "O": 31, "W": 39, "Y": 41, "ᵊ": 42, "a": 43, "e": 47, "i": 51, "o": 57, "u": 63, "y": 67, "ɑ": 69,
    "ɐ": 70, "æ": 72, "ɔ": 76, "ə": 83, "ɚ": 85, "ɛ": 86, "ɜ": 87, "ɨ": 101, "ɪ": 102, "ʊ": 135, "ʌ": 138, "ɤ": 140,
    "ᵻ": 177,
}
# fmt: on
