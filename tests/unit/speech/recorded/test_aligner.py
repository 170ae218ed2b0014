"""The aligner finds which frame is whose from the order of the symbols alone."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from services.speech.model.recorded.aligner import Aligner, all_ways, likeliest, straight  # noqa: E402
from services.speech.model.recorded.measures import MELS  # noqa: E402


def test_the_likeliest_way_is_the_best_of_all_ways() -> None:
    likely = np.random.default_rng(3).standard_normal((7, 4)).astype(np.float32)

    def worth(cuts: tuple[int, ...]) -> float:
        owner = np.searchsorted(cuts, np.arange(7), side="right")
        return float(likely[np.arange(7), owner].sum())

    best = max(itertools.combinations(range(1, 7), 3), key=worth)
    assert likeliest(likely, 4, 7).tolist() == np.diff((0, *best, 7)).tolist()


def test_every_symbol_gets_a_frame_and_too_many_are_told_of() -> None:
    likely = np.zeros((5, 5), np.float32)
    assert likeliest(likely, 5, 5).tolist() == [1] * 5
    with pytest.raises(ValueError, match="do not fit"):
        likeliest(likely, 5, 4)


def test_nothing_known_means_along_the_diagonal() -> None:
    found = straight(100, 20)
    assert np.exp(found).sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert np.abs(found.argmax(axis=1) - np.arange(100) * 0.2).max() <= 3


def test_it_learns_an_alignment_from_order_alone() -> None:
    """Symbols sound for 2 to 8 frames, each with a spectrum of its own and noise; nobody tells it for how long."""
    random = np.random.default_rng(5)
    spectra = random.standard_normal((12, MELS))

    def utterance() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        tokens = np.array([one for one, _ in itertools.groupby(random.integers(1, 12, 16))])
        durations = random.integers(2, 9, len(tokens))
        heard = spectra[np.repeat(tokens, durations)]
        return tokens, durations, (heard + 0.4 * random.standard_normal(heard.shape)).astype(np.float32)

    torch.manual_seed(3)
    torch.set_num_threads(1)
    aligner = Aligner()
    optimizer = torch.optim.AdamW(aligner.parameters(), lr=2e-3)

    def likely(tokens: np.ndarray, heard: np.ndarray) -> Any:
        real, there = torch.ones(1, len(tokens), 1), torch.ones(1, len(heard), 1)
        way = torch.from_numpy(straight(len(heard), len(tokens)))[None]
        return aligner(torch.from_numpy(tokens)[None], torch.from_numpy(heard)[None], real, there, way)

    losses = []
    for _ in range(150):
        tokens, _, heard = utterance()
        loss = all_ways(likely(tokens, heard), torch.tensor([len(tokens)]), torch.tensor([len(heard)]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:20])
    off, by_chance = [], []
    for _ in range(10):
        tokens, durations, heard = utterance()
        with torch.no_grad():
            found = likeliest(likely(tokens, heard)[0].numpy(), len(tokens), len(heard))
        even = np.diff(np.round(np.linspace(0, len(heard), len(tokens) + 1)))
        ends = np.cumsum(durations)
        off.append(np.abs(np.cumsum(found) - ends).mean())
        by_chance.append(np.abs(np.cumsum(even) - ends).mean())
    assert np.mean(off) < 0.5, "frames"
    assert np.mean(off) < 0.2 * np.mean(by_chance)
