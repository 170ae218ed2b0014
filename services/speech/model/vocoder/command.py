"""`lydia train vocoder`: the teacher's speech, the network trained on it, its weights in the repository."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from services.places import ROOT, VOICE

RUN = Path(__file__).parent / "run.json"
"""What the weights come from; the model card tells it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--folder", type=Path, default=Path("build/vocoder"), help="keeps clips, checkpoint and losses")
    parser.add_argument("--clips", type=int, default=700, help="clips of about six seconds to make (default 700)")
    parser.add_argument("--steps", type=int, default=8_000, help="training steps (default 8000)")
    parser.add_argument("--threads", type=int, default=1, help="processor threads to train with (default 1)")
    parser.add_argument("--seed", type=int, default=2112, help="of texts, voices and training (default 2112)")
    parser.add_argument(
        "--only-clips", metavar="PART/PARTS", help="only make a share of the clips, for several processes: 0/2, 1/2"
    )


def run(given: argparse.Namespace) -> int:
    """Everything that is missing of it. Returns the exit code."""
    # Heavy parts are loaded only now: every command reads this file's options.
    from services.speech.model.vocoder import dataset
    from services.speech.model.vocoder.texts import reading
    from services.speech.model.vocoder.vocoder import WEIGHTS
    from services.speech.natural.files import DECODER, ENCODER, SOURCE, VOICES, FilesUnavailable, check

    try:
        check(VOICE, ENCODER, SOURCE, DECODER, VOICES)
        part = _part(given.only_clips)
    except (FilesUnavailable, ValueError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    folder = given.folder / "clips"
    dataset.make(folder, given.clips, given.seed, dataset.Teacher(VOICE), reading(VOICE), part)
    if given.only_clips:
        return 0
    try:
        from services.speech.model.vocoder.export import export
        from services.speech.model.vocoder.train import Clips, Options, train
    except ImportError as missing:
        sys.stderr.write(f"training needs {missing.name}. Mend: pip install -e '.[train]'\n")
        return 1
    clips = Clips([dataset.path_of(folder, index) for index in range(given.clips)])
    options = Options(steps=given.steps, seed=given.seed)
    network = train(clips, given.folder, options, threads=given.threads)
    difference = export(network)
    made: dict[str, Any] = {"clips": given.clips, "minutes": round(clips.seconds / 60, 1), **asdict(options)}
    made |= {"parameters": sum(value.numel() for value in network.parameters()), "commit": _commit()}
    made |= {"remarks": json.loads(RUN.read_text()).get("remarks", "") if RUN.exists() else ""}
    made |= {"megabytes": round(WEIGHTS.stat().st_size / 1e6, 2), "export_difference": round(difference, 4)}
    RUN.write_text(json.dumps(made, indent=1) + "\n")
    sys.stdout.write(
        f"{WEIGHTS.name}: {made['megabytes']} MB, {made['minutes']} minutes of speech, {given.steps} steps\n"
    )
    return 0


def _part(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 1
    part, _, parts = text.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and int(part) < int(parts)):
        raise ValueError(f"--only-clips {text}: not a part of parts. Mend: write 0/2 for the first of two processes.")
    return int(part), int(parts)


def _commit() -> str:
    """Of the code, or nothing outside a repository."""
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
