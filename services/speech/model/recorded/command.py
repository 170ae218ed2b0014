"""`lydia train voice`: a voice from recordings, without a teacher: both networks, and a style for each speaker."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from services.training import launch
from services.training.task import Options

if TYPE_CHECKING:
    from services.speech.model.recorded.recordings import Recording

USUAL = Options(steps=100_000, batch=16, rate=1e-3, clip=5.0, average=0.999)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "recordings", type=Path, nargs="+", metavar="RECORDINGS", help="folders in LJSpeech's or AISHELL-3's format"
    )
    parser.add_argument(
        "--folder", type=Path, default=Path("build/recorded"), help="keeps what was measured, checkpoint and the voice"
    )
    launch.add_arguments(parser, USUAL)


def run(given: argparse.Namespace) -> int:
    """Everything that is missing of it. Returns the exit code."""
    from services.speech.model.recorded.recordings import BadFolder

    try:
        _read(given.recordings)
        return launch.run(train, given, USUAL)
    except (BadFolder, ValueError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1


def train(given: argparse.Namespace) -> int:
    """On every rank: what is measured, training; on the first, the exported voice. Returns the exit code."""
    # Heavy parts are loaded only now: every command reads this file's options.
    from services.speech.model.recorded import joint
    from services.speech.model.recorded.voice import export
    from services.speech.natural.loading import own_reader
    from services.training import parallel
    from services.training.loop import fit

    options = launch.options_of(given, USUAL)
    recordings = _read(given.recordings)
    measured, reader = given.folder / "measured", own_reader()
    if parallel.first():
        joint.keep(recordings, reader, measured)
    parallel.wait()
    paths, speakers = joint.keep(recordings, reader, measured)
    task = joint.Voice(paths, len(speakers), batch=options.batch, seed=options.seed)
    network = fit(task, given.folder / "run", options, port=given.metrics_port)
    if not parallel.first():
        return 0
    assert isinstance(network, joint.Joint)
    export(network, speakers, given.folder / "voice")
    sys.stdout.write(
        f"{given.folder / 'voice'}: {len(speakers)} speakers, {task.seconds / 60:.0f} minutes in {len(paths)} of "
        f"{len(recordings)} recordings, {options.steps} steps\n"
    )
    return 0


def _read(folders: list[Path]) -> list[Recording]:
    from services.speech.model.recorded.recordings import read

    return [recording for folder in folders for recording in read(folder)]
