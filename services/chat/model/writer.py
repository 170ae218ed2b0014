"""Her network at work: a prompt in, her words out, token by token, always with tags that exist."""

from __future__ import annotations

import codecs
import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.chat.model.decoder import Decoder
from services.chat.model.tokenizer import END, Tokenizer
from services.chat.tags import EMOTIONS, GESTURES

Floats = NDArray[np.float32]

OWN = Path(__file__).with_name("own")
"""The folder of her network: config.json, tokenizer.json, model.safetensors, decoder.onnx."""
MOST_TOKENS = 90
"""Of an answer; what is longer ends there."""
WARMTH, NUCLEUS = 0.3, 0.9
"""Temperature, and the share of probability from which a token is drawn (top-p, arXiv 1904.09751)."""


class Writer:
    """Safe to use from several threads."""

    def __init__(self, folder: Path = OWN) -> None:
        """Raises OSError and ValueError where the folder holds no network of hers."""
        self.tokenizer = Tokenizer.read(folder / "tokenizer.json")
        self.decoder = Decoder(folder)
        self._end = self.tokenizer.mark(END)
        size = self.decoder.config.vocabulary
        emotions = {self.tokenizer.mark(f"[{name}]") for name in EMOTIONS}
        gestures = {self.tokenizer.mark(f"[{name}]") for name in GESTURES[1:]}
        words = set(range(size)) - self.tokenizer.marks | {self.tokenizer.mark("{viewer}")}
        self._first = _only(emotions, size)
        self._second = _only(words | gestures, size)
        self._third = _only(words, size)
        self._later = _only(words | {self._end}, size)

    def words(self, prompt: Sequence[int], draw: random.Random) -> Iterator[str]:
        """Her answer in pieces: an emotion, at most one gesture, words. The same draw gives the same answer."""
        text = codecs.getincrementaldecoder("utf-8")("replace")
        past = self.decoder.begin()
        tokens, allowed = list(prompt), self._first
        for count in range(MOST_TOKENS):
            logits, past = self.decoder.read(tokens, past)
            token = drawn(logits + allowed, draw)
            if token == self._end:
                return
            yield text.decode(self.tokenizer.bytes_of(token))
            tokens = [token]
            allowed = self._second if count == 0 else self._later if self._later[token] == 0 else self._third


def _only(tokens: set[int], size: int) -> Floats:
    """What, added to logits, leaves only these."""
    allowed = np.full(size, -np.inf, np.float32)
    allowed[sorted(tokens)] = 0
    return allowed


def drawn(logits: Floats, draw: random.Random) -> int:
    """A token, drawn from the most probable ones that together reach NUCLEUS."""
    order = np.argsort(-logits)[:64]
    shares = np.exp((logits[order] - logits[order[0]]) / WARMTH)
    shares /= shares.sum()
    reached = np.cumsum(shares)
    kept = int(np.searchsorted(reached, NUCLEUS)) + 1
    place = int(np.searchsorted(reached[:kept], draw.random() * float(reached[kept - 1])))
    return int(order[min(place, kept - 1)])
