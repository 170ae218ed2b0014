"""A voice is learned from folders of recordings alone, and speaks from its files."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from services import cli
from services.core.events import TextSegment
from services.speech.natural.styles import KeptStyles
from services.speech.sound import CEILING

torch = pytest.importorskip("torch")

from services.speech.model.recorded import joint, voice  # noqa: E402
from services.speech.model.recorded.recordings import read  # noqa: E402
from services.speech.natural.loading import own_reader  # noqa: E402
from tests.unit.speech.recorded.folders import TEXTS, aishell, ljspeech, write  # noqa: E402

STEPS = 25


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run's folder."""
    folder = tmp_path_factory.mktemp("voice")
    given = [str(ljspeech(folder / "reader")), str(aishell(folder / "aishell")), "--folder", str(folder / "run")]
    options = ["--steps", str(STEPS), "--batch", "4", "--rate", "2e-3", "--keep", str(STEPS)]
    assert cli.main(["train", "voice", *given, *options]) == 0
    return folder / "run"


def test_what_it_learns_falls(trained: Path) -> None:
    with (trained / "run" / "losses.csv").open() as file:
        rows = list(csv.DictReader(file))
    first, last = rows[0], rows[-1]
    for name in ("loss", "sound", "ways", "lengths", "pitch", "energy"):
        assert float(last[name]) < float(first[name]), name


@pytest.mark.parametrize(("speaker", "text"), [("reader", TEXTS[0]), ("SSB0001", "妈妈"), ("SSB0002", "妈妈 mop")])
def test_each_speaker_speaks_from_the_files(trained: Path, speaker: str, text: str) -> None:
    said = voice.load(trained / "voice", speaker).speak(TextSegment(turn_id="t", room_id="r", text=text, last=True))
    sound = np.concatenate([piece.sound for piece in said])
    assert len(sound) > 0.3 * 24_000
    assert np.isfinite(sound).all()
    assert 0.001 < np.abs(sound).max() <= CEILING


def test_speakers_have_styles_of_their_own(trained: Path) -> None:
    styles = [KeptStyles(name, trained / "voice" / "styles.npz")("zh", 9) for name in ("SSB0001", "SSB0002")]
    assert np.abs(styles[0] - styles[1]).mean() > 0.01


def test_what_cannot_be_learned_from_is_left_out(tmp_path: Path) -> None:
    folder = ljspeech(tmp_path / "reader")
    write(folder / "wavs" / "LJ001.wav", np.zeros(22_050 * 20, np.float32), 22_050)  # too long
    write(folder / "wavs" / "LJ002.wav", np.zeros(11_000, np.float32), 22_050)  # shorter than a piece
    paths, speakers = joint.keep(read(folder), own_reader(), tmp_path / "measured")
    assert len(paths) == len(TEXTS) - 2
    assert speakers == ["reader"]


def test_a_recording_is_padded_without_a_trace() -> None:
    """Beside a longer one, everything is said and aligned as alone."""
    torch.manual_seed(1)
    network = joint.Joint(2).eval()
    random = np.random.default_rng(1)

    def kept(symbols: int, frames: int) -> joint.Kept:
        return joint.Kept(
            random.integers(1, 100, symbols), 1, random.standard_normal((frames, 80)).astype(np.float32),
            np.full(2 * frames, 150, np.float32), np.zeros(2 * frames, np.float32),
            (0.1 * random.standard_normal(600 * frames)).astype(np.float32),
        )  # fmt: skip

    short, long = kept(12, 60), kept(30, 90)
    with torch.no_grad():
        alone, both = (network(joint.batch_of(chosen, [3] * len(chosen))) for chosen in ([short], [short, long]))
    assert torch.equal(alone.durations[0], both.durations[0, :12])
    assert alone.durations.sum() == 60
    assert torch.allclose(alone.likely[0], both.likely[0, :60, :12], atol=1e-3)
    assert torch.allclose(alone.long[0], both.long[0, :12], atol=1e-4)
    assert torch.allclose(alone.said[0], both.said[0, :120], atol=1e-3)


def test_a_folder_that_is_none_is_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["train", "voice", str(tmp_path)]) == 1
    assert "Mend:" in capsys.readouterr().err
