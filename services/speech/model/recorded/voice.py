"""A voice that was trained on recordings, as files: written after training, read to speak."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from services.speech.model.text2speech.encoder import OwnEncoder
from services.speech.model.vocoder.vocoder import Vocoder
from services.speech.natural.loading import own_reader
from services.speech.natural.speaker import Speaker
from services.speech.natural.styles import KeptStyles, write
from services.speech.natural.voices import Manner, Melody, Voice

if TYPE_CHECKING:  # training alone needs torch
    from services.speech.model.recorded.joint import Joint

SYMBOLS, FRAMES, VOCODER, STYLES = "symbols.onnx", "frames.onnx", "vocoder.onnx", "styles.npz"
MELODIES: tuple[Melody, ...] = get_args(Melody)


def export(network: Joint, speakers: Sequence[str], folder: Path) -> None:
    """Writes the voice of each speaker. Raises NotTheSame when a file computes anything else than its network."""
    from services.speech.model.text2speech.export import export as export_text2speech
    from services.speech.model.vocoder.export import export as export_vocoder

    folder.mkdir(parents=True, exist_ok=True)
    export_text2speech(network.text2speech, folder / SYMBOLS, folder / FRAMES)
    export_vocoder(network.vocoder, folder / VOCODER)
    rows = network.styles.weight.detach().numpy()[:, None]
    write({name: dict.fromkeys(MELODIES, row) for name, row in zip(speakers, rows, strict=True)}, [1], folder / STYLES)


def load(folder: Path, speaker: str) -> Speaker:
    """Raises OSError, KeyError when there is no such speaker, and onnxruntime's errors."""
    her = Voice({}, {melody: Manner({}) for melody in MELODIES})
    encoder = OwnEncoder(folder / SYMBOLS, folder / FRAMES)
    return Speaker(encoder, Vocoder(folder / VOCODER), own_reader(), her, KeptStyles(speaker, folder / STYLES))
