"""Text and tokens: a byte-level BPE, read from a `tokenizer.json` as other programs read it too.

Byte-level BPE: Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" §2.2. Any text survives the
round trip, because every byte is a token.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

BEGIN, END, FACT, VIEWER, LYDIA = "<|begin|>", "<|end|>", "<|fact|>", "<|viewer|>", "<|lydia|>"
MARKS = (BEGIN, END, FACT, VIEWER, LYDIA)
"""What orders a prompt. No text of a viewer ever becomes one of these."""
PIECES = r" ?[A-Za-z']+|[0-9]|[一-鿿]+| ?[^\sA-Za-z0-9'一-鿿]+|\s+"
"""What merges never cross: words, single figures, runs of Hanzi, runs of other signs, white space."""
_PIECES = re.compile(PIECES)
AT_MOST = 50_000
"""Pieces whose tokens are remembered."""


def byte_letters() -> dict[int, str]:
    """A visible letter for each byte, as GPT-2 chose them: printable ones are themselves, others from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {byte: chr(byte) for byte in printable}
    missing = [byte for byte in range(256) if byte not in letters]
    return letters | {byte: chr(256 + number) for number, byte in enumerate(missing)}


LETTERS = byte_letters()
_BYTES = {letter: byte for byte, letter in LETTERS.items()}


def pieces(text: str) -> list[str]:
    """The text in pieces, each in byte letters."""
    return ["".join(LETTERS[byte] for byte in piece.encode()) for piece in _PIECES.findall(text)]


class Tokenizer:
    """Encodes and decodes."""

    def __init__(self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]], added: Mapping[str, int]):
        """Ids of pieces in byte letters; merges, first ones first; ids of marks and tags, which are tokens whole."""
        self.size = 1 + max(max(vocabulary.values()), max(added.values(), default=0))
        self._vocabulary = vocabulary
        self._ranks = {pair: rank for rank, pair in enumerate(merges)}
        self._added = dict(added)
        self._letters = {number: piece for piece, number in vocabulary.items()}
        self._whole = {number: text for text, number in added.items()}
        longest_first = sorted(added, key=len, reverse=True)
        self._marked = re.compile("(" + "|".join(map(re.escape, longest_first)) + ")") if added else None
        self._merged = lru_cache(AT_MOST)(self._merge)

    @classmethod
    def read(cls, path: Path) -> Tokenizer:
        """The tokenizer of a `tokenizer.json`. Raises OSError, and ValueError when it is none of this kind."""
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        try:
            model, added = kept["model"], {str(one["content"]): int(one["id"]) for one in kept["added_tokens"]}
            merges = [(str(left), str(right)) for left, right in model["merges"]]
            if kept["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] != PIECES:
                raise ValueError("it cuts texts in another way")
            vocabulary = {piece: int(number) for piece, number in model["vocab"].items() if piece not in added}
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: no tokenizer of hers: {error}. Mend: run `lydia train chat`.") from None
        return cls(vocabulary, merges, added)

    @property
    def marks(self) -> frozenset[int]:
        """The tokens of all marks and tags."""
        return frozenset(self._whole)

    def mark(self, text: str) -> int:
        """The token of a mark or tag. Raises KeyError."""
        return self._added[text]

    def encode(self, text: str) -> list[int]:
        """Tokens of a text in which nothing is a mark or tag, whatever it says: for what strangers wrote."""
        return [token for piece in pieces(text) for token in self._merged(piece)]

    def encode_marked(self, text: str) -> list[int]:
        """Tokens of a text whose marks and tags count: for what she says."""
        tokens: list[int] = []
        for place, part in enumerate(self._marked.split(text) if self._marked else [text]):
            tokens += [self._added[part]] if place % 2 else self.encode(part)
        return tokens

    def decode(self, tokens: Iterable[int]) -> str:
        """The text, tags included; broken UTF-8 becomes U+FFFD."""
        return b"".join(map(self.bytes_of, tokens)).decode(errors="replace")

    def bytes_of(self, token: int) -> bytes:
        """The bytes that one token stands for; marks stand for their names."""
        if token in self._whole:
            return self._whole[token].encode()
        return bytes(_BYTES[letter] for letter in self._letters.get(token, ""))

    def _merge(self, piece: str) -> tuple[int, ...]:
        parts = list(piece)
        while len(parts) > 1:
            ranks = [self._ranks.get(pair, len(self._ranks)) for pair in pairwise(parts)]
            best = min(ranks)
            if best == len(self._ranks):
                break
            merged: list[str] = []
            place = 0
            while place < len(parts):
                joined = place < len(ranks) and ranks[place] == best
                merged.append(parts[place] + parts[place + 1] if joined else parts[place])
                place += 2 if joined else 1
            parts = merged
        return tuple(self._vocabulary[part] for part in parts)
