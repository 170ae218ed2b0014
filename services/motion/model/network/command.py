"""`lydia train motion`: voices and mouths to learn from, the network trained on them, its weights in the repository."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from services.places import VOICE
from services.training import launch, making
from services.training.task import Options

if TYPE_CHECKING:
    from torch import nn

USUAL = Options(steps=8_000, batch=32, seed=2117, rate=3e-3, warm_up=50, decay=0.5, average=0.99)
"""What made the weights in the repository: less than an hour on one processor thread, after half an hour for the clips
on two.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--folder", type=Path, default=Path("build/motion"), help="keeps clips, checkpoint and losses")
    parser.add_argument(
        "--clips", type=int, default=6000, help="clips of some nine seconds to make (default %(default)s)"
    )
    parser.add_argument(
        "--recordings", type=Path, help="learn from this folder instead: NAME.wav beside NAME.TextGrid, with IPA phones"
    )
    making.add_makers(parser)
    launch.add_go_on(parser)
    launch.add_arguments(parser, USUAL)


def run(given: argparse.Namespace) -> int:
    """Everything that is missing of it. Returns the exit code."""
    from services.speech.natural.files import ENCODER, ENGLISH, SYMBOLS, VOICES, FilesUnavailable, check

    try:
        if given.recordings is None:
            check(VOICE, ENCODER, VOICES, SYMBOLS, ENGLISH)
        return launch.run(train, given, USUAL)
    except (FilesUnavailable, ValueError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1


def train(given: argparse.Namespace) -> int:
    """On every rank: clips, training; on the first, the exported network. Returns the exit code."""
    # Heavy parts are loaded only now: every command reads this file's options.
    from services.motion.model.network.calibrate import calibrate, held_back
    from services.motion.model.network.export import export
    from services.motion.model.network.hearing import Hearing
    from services.motion.model.network.network import Network
    from services.motion.model.network.rung import WEIGHTS
    from services.training import parallel
    from services.training.loop import fit
    from services.training.weights import read_back

    options = launch.options_of(given, USUAL)
    if parallel.first():
        _made(given)
    parallel.wait()
    learned, back = held_back(_made(given))
    task = Hearing(learned, batch=options.batch, seed=options.seed)
    if parallel.first():
        making.keep_amount(given.folder / "run", len(learned), task.seconds)

    def begin(network: nn.Module) -> None:
        if given.go_on:
            read_back(network, [WEIGHTS], lambda files: export(network, *files))

    network = fit(task, given.folder / "run", options, port=given.metrics_port, begin=begin)
    if not parallel.first():
        return 0
    assert isinstance(network, Network)
    calibrate(network, back)
    worst = export(network, WEIGHTS)
    size = WEIGHTS.stat().st_size / 1e6
    sys.stdout.write(
        f"{WEIGHTS.name}: {size:.2f} MB, {task.seconds / 60:.0f} minutes of speech, {options.steps} steps; "
        f"the file differs from the network by {worst:.1e}\n"
    )
    return 0


def _made(given: argparse.Namespace) -> list[Path]:
    """What it learns from, so far as it is missing. Raises ValueError for a recording that cannot be used."""
    from services.motion.model.network import clips
    from services.motion.model.network.recordings import read

    if given.recordings is not None:
        return read(given.recordings, given.folder / "recordings", given.seed)
    making.make_all(_make, given)
    return [clips.path_of(given.folder / "clips", index) for index in range(given.clips)]


def _make(given: argparse.Namespace, part: tuple[int, int]) -> None:
    from services.motion.model.network import clips

    clips.make(given.folder / "clips", given.clips, given.seed, VOICE, part)
