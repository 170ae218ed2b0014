"""`lydia train motion`: voices and mouths to learn from, the network trained on them, its weights in the repository."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from services.places import VOICE
from services.training import launch

if TYPE_CHECKING:
    from torch import nn

    from services.training.task import Options

STEPS, BATCH, SEED = 5_000, 8, 2112


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--folder", type=Path, default=Path("build/motion"), help="keeps clips, checkpoints and losses")
    parser.add_argument("--clips", type=int, default=400, help="clips of about nine seconds to make (default 400)")
    parser.add_argument(
        "--recordings", type=Path, help="learn from this folder instead: NAME.wav beside NAME.TextGrid, with IPA phones"
    )
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps (default %(default)s)")
    parser.add_argument("--batch", type=int, default=BATCH, help="examples of a step (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of texts, voices and training (default %(default)s)")
    launch.add_go_on(parser)
    parser.add_argument("--threads", type=int, default=1, help="processor threads to train with (default 1)")


def run(given: argparse.Namespace) -> int:
    """Everything that is missing of it. Returns the exit code."""
    # Heavy parts are loaded only now: every command reads this file's options.
    from services.motion.model.network import clips
    from services.motion.model.network.rung import WEIGHTS
    from services.speech.natural.files import ENCODER, ENGLISH, SYMBOLS, VOICES, FilesUnavailable, check

    try:
        if given.recordings is None:
            check(VOICE, ENCODER, VOICES, SYMBOLS, ENGLISH)
            clips.make(given.folder / "clips", given.clips, given.seed, VOICE)
            paths = [clips.path_of(given.folder / "clips", index) for index in range(given.clips)]
        else:
            from services.motion.model.network.recordings import read

            paths = read(given.recordings, given.folder / "recordings", given.seed)
    except (FilesUnavailable, ValueError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    try:
        from services.motion.model.network.calibrate import calibrate
        from services.motion.model.network.export import export
        from services.motion.model.network.hearing import Hearing
        from services.motion.model.network.network import Network
        from services.training.loop import fit
        from services.training.weights import read_back
    except ImportError as missing:
        sys.stderr.write(f"training needs {missing.name}. Mend: pip install -e '.[train]'\n")
        return 1
    task = Hearing(paths, batch=given.batch, seed=given.seed)

    def begin(network: nn.Module) -> None:
        if given.go_on:
            read_back(network, [WEIGHTS], lambda files: export(network, *files))

    network = fit(task, given.folder / "run", options(given), begin=begin)
    assert isinstance(network, Network)
    calibrate(network, paths)
    worst = export(network, WEIGHTS)
    size = WEIGHTS.stat().st_size / 1e6
    sys.stdout.write(
        f"{WEIGHTS.name}: {size:.2f} MB, {task.seconds / 60:.0f} minutes of speech, {given.steps} steps; "
        f"the file differs from the network by {worst:.1e}\n"
    )
    return 0


def options(given: argparse.Namespace) -> Options:
    """What the run depends on besides the clips."""
    from services.training.task import Options

    return Options(
        steps=given.steps,
        batch=given.batch,
        rate=3e-3,
        warm_up=50,
        decay=0.5,
        average=0.99,
        keep=50,
        seed=given.seed,
        threads=given.threads,
    )
