"""Text2speech and the vocoder begin where the repository's are, hear each other, and both learn from what is heard."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from services import cli
from services.speech.model.text2speech import encoder
from services.speech.model.text2speech.encoder import OwnEncoder
from services.speech.model.text2speech.utterances import path_of, save, utterance_of
from services.speech.model.vocoder import vocoder
from services.speech.model.vocoder.dataset import path_of as clip_path
from services.speech.model.vocoder.vocoder import WEIGHTS, Vocoder
from services.speech.natural.encoder import PAD, session
from services.speech.natural.voices import TIMBRE
from services.speech.sound import CEILING
from tests.unit.speech.vocoder.clause import CLAUSE, clause

torch = pytest.importorskip("torch")

from services.speech.model.text2speech.speaking import Speaking  # noqa: E402
from services.speech.model.text2speech.together import UTTERANCES, Pair, Together, halfway  # noqa: E402
from services.speech.model.vocoder.train import FRAMES, SKIP, Clips, perform  # noqa: E402
from services.training.loop import fit  # noqa: E402
from services.training.report import rows  # noqa: E402
from services.training.task import Options  # noqa: E402

OPTIONS = Options(steps=20, batch=2, rate=1e-3, warm_up=2, keep=20, clip=5.0)


@pytest.fixture(scope="module")
def clips() -> Clips:
    return Clips([CLAUSE])


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Utterances that are what the network says itself: what it knows, it keeps."""
    clip, own, folder = clause(), OwnEncoder(), tmp_path_factory.mktemp("utterances")
    tokens = [PAD, *clip.tokens.tolist(), PAD]
    for index in range(UTTERANCES * OPTIONS.batch):
        said = own(tokens[: 20 + index], clip.features.style, 1.0)
        save(path_of(folder, index), utterance_of(said, tokens[: 20 + index], 1.0))
    return folder


@pytest.fixture(scope="module")
def task(clips: Clips, said: Path) -> Together:
    return Together(Speaking(sorted(said.iterdir()), batch=UTTERANCES * OPTIONS.batch, seed=1), clips, OPTIONS)


@pytest.fixture(scope="module")
def begun(task: Together) -> Pair:
    pair = task.network()
    assert isinstance(pair, Pair)
    return pair


def test_every_frame_of_a_crop_belongs_to_its_symbol(clips: Clips) -> None:
    clip = clause()
    for begin in (0, 17, clip.features.inner.shape[1] - FRAMES - 2 * SKIP):
        tokens, owner = clips.said(0, begin)
        assert tokens.tolist() == [PAD, *clip.tokens, PAD]
        inner = clip.features.inner[:, begin : begin + FRAMES + 2 * SKIP]
        assert len(owner) == inner.shape[1]
        same = (inner[:, 1:] == inner[:, :-1]).all(axis=0)
        assert (same == (owner[1:] == owner[:-1])).all(), "the encoder says the same of all frames of a symbol"


def test_it_begins_with_the_networks_in_the_repository(begun: Pair) -> None:
    clip = clause()
    tokens = [PAD, *clip.tokens.tolist(), PAD]
    said = OwnEncoder()(tokens, clip.features.style, 1.0)
    first = np.cumsum(said.durations) - said.durations
    with torch.no_grad():
        _, inner = begun.text2speech.symbols.sound(torch.tensor([tokens]), torch.ones(1, len(tokens), 1))
    assert inner[0].numpy() == pytest.approx(said.inner[:, first].T, abs=0.02)

    features = clip.features
    given = (features.inner[None], features.f0[None], features.energy[None], features.style[None, :TIMBRE])
    with torch.no_grad():
        pulse, phase, noise = begun.vocoder(*(torch.from_numpy(part) for part in given))
    names = ("inner", "f0", "energy", "style")
    cos, _, hiss = session(WEIGHTS).run(None, dict(zip(names, given, strict=True)))
    assert np.abs((pulse * phase[0]).numpy() - cos).mean() < 0.01 * np.abs(cos).mean()
    assert np.abs(noise.numpy() - hiss).mean() < 0.01 * np.abs(hiss).mean()


def test_what_is_heard_teaches_both_and_the_encoder_is_not_forgotten(
    task: Together, begun: Pair, tmp_path: Path
) -> None:
    trained = fit(task, tmp_path, OPTIONS)
    assert isinstance(trained, Pair)
    losses = rows(tmp_path)
    assert float(losses[-1]["distance"]) < float(losses[0]["distance"])
    assert float(losses[-1]["inner"]) < 0.15, "about 1 where nothing is known"
    before, after = begun.state_dict(), trained.state_dict()
    for name in ("text2speech.symbols.inner.weight", "text2speech.symbols.name.weight", "vocoder.gains.weight"):
        assert not torch.equal(before[name], after[name]), name


def test_the_sound_reaches_text2speech_through_the_vocoder(task: Together, begun: Pair) -> None:
    """Even where nothing is to be learned from the encoder."""
    batch = task.batch(0, 0, 0, 1)
    _, heard = begun(batch)
    (slope,) = torch.autograd.grad(heard.own.square().sum(), begun.text2speech.symbols.inner.weight)
    assert float(slope.abs().max()) > 0


def test_the_vocoder_hears_what_text2speech_says_and_not_the_encoder(task: Together, begun: Pair) -> None:
    crops = task.heard_from(begun, 2, np.random.default_rng(5))
    same = task.heard_from(begun, 2, np.random.default_rng(5))
    assert torch.equal(crops.inner, same.inner)
    with torch.no_grad():
        begun.text2speech.symbols.inner.bias.add_(1)
        other = task.heard_from(begun, 2, np.random.default_rng(5))
        begun.text2speech.symbols.inner.bias.sub_(1)
    assert not torch.allclose(crops.inner, other.inner)
    assert torch.equal(crops.sound, other.sound)
    with torch.no_grad():
        assert torch.isfinite(perform(begun.vocoder, crops).own).all()


def test_the_command_writes_all_three_parts_and_they_speak_together(
    said: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "clips").mkdir()
    shutil.copy(CLAUSE, clip_path(tmp_path / "clips", 0))
    shutil.copytree(said, tmp_path / "utterances")
    files = {name: tmp_path / f"{name}.onnx" for name in ("symbols", "frames", "vocoder")}
    monkeypatch.setattr(encoder, "SYMBOL_WEIGHTS", files["symbols"])
    monkeypatch.setattr(encoder, "FRAME_WEIGHTS", files["frames"])
    monkeypatch.setattr(vocoder, "WEIGHTS", files["vocoder"])
    given = ["--folder", str(tmp_path), "--clips", "1", "--utterances", str(UTTERANCES * 2), "--batch", "2"]
    assert cli.main(["train", "together", *given, "--steps", "2"]) == 0
    assert "11." in capsys.readouterr().out.partition(" MB")[0], "megabytes of all three"

    clip = clause()
    features = OwnEncoder(files["symbols"], files["frames"])(
        [PAD, *clip.tokens.tolist(), PAD], clip.features.style, 1.0
    )
    sound = np.concatenate(list(Vocoder(files["vocoder"]).stream(features)))
    assert len(sound) == 600 * features.durations.sum()
    assert 0.05 < np.abs(sound).max() <= CEILING


def test_halfway_is_the_mean_of_before_and_after() -> None:
    before, after = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    mean = (before.weight + after.weight) / 2
    halfway(before, after)
    assert torch.allclose(after.weight, mean)


def test_ranks_share_a_batch_out(task: Together) -> None:
    whole = task.batch(3, 0, 0, 1)
    parts = [task.batch(3, 0, rank, 2) for rank in range(2)]
    assert torch.equal(torch.cat([part.crops.sound for part in parts]), whole.crops.sound)
    assert torch.equal(torch.cat([part.owner for part in parts]), whole.owner)
    assert parts[0].resolutions == parts[1].resolutions == whole.resolutions
