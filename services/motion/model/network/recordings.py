"""Recordings of people as clips: a folder of NAME.wav beside NAME.TextGrid, as forced aligners write them.

TextGrid: Praat's text format (www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html), with an interval tier
named `phones` whose labels are IPA. WAV: 16 bit, any rate, one channel or several.
"""

from __future__ import annotations

import re
import wave
from pathlib import Path

import numpy as np
from rich.progress import track

from services.core.events import Phoneme
from services.motion.model.network.clips import clip_of, path_of, save
from services.motion.model.network.speakers import Said
from services.speech.sound import SAMPLE_RATE, Samples, resample

PRIMARY, SECONDARY = "ˈ'", "ˌ"
SILENT = ("", "sil", "sp", "spn", "<eps>")
"""Labels of what is no speech."""
_TIER = re.compile(r'name = "phones"(.*?)(?:item \[\d+\]:|\Z)', re.DOTALL)
_INTERVAL = re.compile(r'xmin = ([\d.]+)\s+xmax = ([\d.]+)\s+text = "((?:[^"]|"")*)"')


def read(folder: Path, into: Path, seed: int) -> list[Path]:
    """Makes the clips that are missing, in `into`. Raises ValueError for a file that cannot be used."""
    sounds = sorted(folder.glob("*.wav"))
    if not sounds:
        raise ValueError(f"{folder} holds no .wav. Mend: name the folder of the recordings")
    into.mkdir(parents=True, exist_ok=True)
    paths = [path_of(into, index) for index in range(len(sounds))]
    for index, sound in enumerate(track(sounds, description="recordings")):
        if not paths[index].exists():
            said = Said(_sound(sound), tuple(_phones(sound.with_suffix(".TextGrid"))))
            save(paths[index], clip_of(said.sound, said.phonemes, np.random.default_rng((seed, index))))
    return paths


def _sound(path: Path) -> Samples:
    try:
        with wave.open(str(path)) as file:
            if file.getsampwidth() != 2:
                raise ValueError(f"{path}: {8 * file.getsampwidth()} bits a sample. Mend: save it with 16 bits")
            raw = np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, file.getnchannels())
            rate = file.getframerate()
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path} is no WAV file of plain samples: {error}") from None
    return resample(raw.astype(np.float32).mean(1) / np.float32(32_768), rate)


def _phones(path: Path) -> list[Phoneme]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError:
        raise ValueError(f"{path} is missing. Mend: align the recording with a forced aligner first") from None
    tier = _TIER.search(text)
    if tier is None:
        raise ValueError(f"{path} has no interval tier named phones in Praat's long text format")
    found = []
    for begin, end, label in _INTERVAL.findall(tier[1]):
        stress = 2 if label[:1] and label[0] in PRIMARY else int(label[:1] == SECONDARY)
        ipa = "" if label in SILENT else label.lstrip(PRIMARY + SECONDARY)
        start, stop = (round(float(time) * SAMPLE_RATE) for time in (begin, end))
        found.append(Phoneme(ipa=ipa, start_sample=start, end_sample=stop, stress=stress))
    if not any(phone.ipa for phone in found):
        raise ValueError(f"{path}: nothing is said in it")
    return found
