"""What the network learns: words of the open lexicon, but for those that are kept to measure it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from services.speech.model.letters.letters import NOTHING, SLOTS, numbers_of, sounds_of
from services.speech.model.letters.network import Network
from services.speech.natural.english import Entry
from services.training.task import drawn, share

TEST_SHARE = 20
"""One word in so many is for testing."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Words of about the same length."""

    letters: Tensor
    """[batch, n], padded with 0."""
    lengths: Tensor
    sounds: Tensor
    """[batch, m], padded."""
    counts: Tensor


class Spelling:
    """The task (see `services.training.task.Task`)."""

    def __init__(self, words: Mapping[str, str], *, batch: int, seed: int) -> None:
        """`words`: to learn. Raises ValueError when there are too few."""
        if len(words) < batch:
            raise ValueError(f"there are {len(words)} words for batches of {batch}. Mend: a longer list")
        self._words = sorted(words, key=lambda word: (len(word), hashlib.sha256(word.encode()).digest()))
        self._sounds = words
        self._batch, self._seed = batch, seed

    def network(self) -> nn.Module:
        return Network()

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> Batch:
        random = drawn(self._seed, step, micro)
        first = int(random.integers(len(self._words) - self._batch + 1))
        return self._of(self._words[first : first + self._batch][share(self._batch, rank, ranks)])

    def loss(self, network: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        likely = network(batch.letters).float().log_softmax(-1).transpose(0, 1)
        return {
            "loss": nn.functional.ctc_loss(
                likely, batch.sounds, SLOTS * batch.lengths, batch.counts, blank=NOTHING, reduction="mean"
            )
        }

    def _of(self, words: Sequence[str]) -> Batch:
        letters = [numbers_of(word) for word in words]
        sounds = [sounds_of(self._sounds[word]) or [] for word in words]
        return Batch(_padded(letters), _lengths(letters), _padded(sounds), _lengths(sounds))


def words_of(lexicon: Mapping[str, Entry]) -> dict[str, str]:
    """The words in lower case that can be learned, with the way they are said where nothing special is before them.

    A word that needs more sounds than its letters have slots is an abbreviation, and left out.
    """
    found: dict[str, str] = {}
    for word, entry in lexicon.items():
        low = word.lower()
        if not re.fullmatch("[a-z]{2,}", low) or (low != word and low in lexicon):
            continue
        said = entry if isinstance(entry, str) else entry["DEFAULT"]
        sounds = sounds_of(said) if said else None
        if sounds and len(sounds) + sum(one == other for one, other in pairwise(sounds)) <= SLOTS * len(low):
            found[low] = said or ""
    return found


def held_out(word: str) -> bool:
    """Whether a word is for testing only."""
    return int.from_bytes(hashlib.sha256(word.encode()).digest()[:4]) % TEST_SHARE == 0


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    made = np.zeros((len(rows), max(map(len, rows))), np.int64)
    for index, row in enumerate(rows):
        made[index, : len(row)] = row
    return torch.from_numpy(made)


def _lengths(rows: Sequence[Sequence[int]]) -> Tensor:
    return torch.tensor([len(row) for row in rows])
