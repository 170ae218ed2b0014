"""The network learns what it is taught, one utterance says nothing of another, and the files compute the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from services.speech.model.text2speech.encoder import OwnEncoder
from services.speech.model.text2speech.utterances import Utterance, load, path_of, save

torch = pytest.importorskip("torch")

from services.speech.model.text2speech.export import export  # noqa: E402
from services.speech.model.text2speech.network import Network  # noqa: E402
from services.speech.model.text2speech.speaking import Speaking, batch_of  # noqa: E402
from services.training.loop import fit  # noqa: E402
from services.training.task import Options  # noqa: E402


def utterance(seed: int, symbols: int) -> Utterance:
    """An invented language: every symbol has its own sound, length and pitch."""
    random = np.random.default_rng(seed)
    tokens = np.concatenate(([0], random.integers(1, 20, symbols), [0]))
    durations = 1 + tokens % 3
    table = np.random.default_rng(7).standard_normal((20, 512))
    pitch = np.repeat(np.where(tokens % 4 == 0, 0, 120 + 8.0 * tokens), 2 * durations)
    return Utterance(
        tokens,
        np.zeros(256, np.float32),
        1.0,
        table[tokens].astype(np.float16),
        durations,
        pitch.astype(np.float32),
        (pitch / 40 - 3).astype(np.float32),
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("utterances")
    for index in range(16):
        save(path_of(folder, index), utterance(index, 8 + index))
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def network(paths: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Network:
    options = Options(steps=40, batch=4, rate=4e-3, warm_up=5, keep=40)
    trained = fit(Speaking(paths, batch=4, seed=1), tmp_path_factory.mktemp("run"), options)
    assert isinstance(trained, Network)
    return trained


def test_what_is_saved_is_what_was_made(paths: list[Path]) -> None:
    read, made = load(paths[3]), utterance(3, 11)
    assert (read.tokens == made.tokens).all()
    assert (read.inner == made.inner).all()
    assert (read.durations == made.durations).all()
    assert (read.f0 == made.f0).all()
    assert (read.energy == made.energy).all()


def test_too_few_utterances_are_told_of(paths: list[Path]) -> None:
    with pytest.raises(ValueError, match="make more"):
        Speaking(paths[:3], batch=4, seed=1)


def test_it_learns_sounds_lengths_and_melody_and_the_files_say_the_same(network: Network, tmp_path: Path) -> None:
    assert export(network, tmp_path / "symbols.onnx", tmp_path / "frames.onnx") < 5e-3
    own = OwnEncoder(tmp_path / "symbols.onnx", tmp_path / "frames.onnx")
    new = utterance(99, 12)
    said = own(new.tokens.tolist(), new.style, new.speed)
    assert (said.durations == new.durations).mean() > 0.7
    assert said.inner.shape == (512, said.durations.sum())
    assert said.f0.shape == said.energy.shape == (2 * said.durations.sum(),)
    first = np.cumsum(said.durations) - said.durations
    apart = np.abs(said.inner[:, first].T - new.inner).mean()
    assert apart < 0.4 * np.abs(new.inner.astype(np.float32)).mean()


def test_an_utterance_is_said_the_same_alone_and_beside_longer_ones(network: Network) -> None:
    short, long = utterance(1, 9), utterance(2, 22)
    alone, both = batch_of([short]), batch_of([short, long])
    with torch.no_grad():
        one = network(alone.tokens, alone.style, alone.real, alone.owner, alone.places, alone.sounding)
        two = network(both.tokens, both.style, both.real, both.owner, both.places, both.sounding)
    for part, other in zip(one, two, strict=True):
        assert torch.allclose(part[0], other[0, : part.shape[1]], atol=1e-5)


def test_the_same_seed_draws_the_same_batches(paths: list[Path]) -> None:
    first, again = (Speaking(paths, batch=4, seed=5).batch(3, 0, 0, 1) for _ in range(2))
    assert torch.equal(first.tokens, again.tokens)
    assert torch.equal(first.f0, again.f0)
