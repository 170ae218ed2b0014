"""`lydia train together`: text2speech and the vocoder, trained on from the weights in the repository."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from services.places import VOICE
from services.speech.model.text2speech import command
from services.speech.model.vocoder import command as vocoder_command
from services.training import launch, making
from services.training.task import Options

USUAL = Options(steps=2_000, batch=8, rate=3e-4, decay=0.5, clip=5.0, average=0.998)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--folder", type=Path, default=Path("build/speech"), help="keeps utterances, clips, checkpoint and losses"
    )
    parser.add_argument("--utterances", type=int, default=4000, help="utterances to make (default %(default)s)")
    parser.add_argument("--clips", type=int, default=700, help="clips of about six seconds to make (default 700)")
    making.add_makers(parser)
    launch.add_arguments(parser, USUAL)


def run(given: argparse.Namespace) -> int:
    """Everything that is missing of it. Returns the exit code."""
    from services.speech.natural.files import (
        DECODER,
        ENCODER,
        ENGLISH,
        SOURCE,
        SYMBOLS,
        VOICES,
        FilesUnavailable,
        check,
    )

    try:
        check(VOICE, ENCODER, SOURCE, DECODER, VOICES, SYMBOLS, ENGLISH)
    except FilesUnavailable as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return launch.run(train, given, USUAL)


def train(given: argparse.Namespace) -> int:
    """On every rank: utterances and clips, training; on the first, the exported networks. Returns the exit code."""
    # Heavy parts are loaded only now: every command reads this file's options.
    from services.speech.model.text2speech import utterances
    from services.speech.model.text2speech.encoder import FRAME_WEIGHTS, SYMBOL_WEIGHTS
    from services.speech.model.text2speech.export import export
    from services.speech.model.text2speech.speaking import Speaking
    from services.speech.model.text2speech.together import UTTERANCES, Pair, Together, halfway
    from services.speech.model.vocoder import dataset
    from services.speech.model.vocoder.calibrate import calibrate
    from services.speech.model.vocoder.export import export as export_vocoder
    from services.speech.model.vocoder.train import Clips
    from services.speech.model.vocoder.vocoder import WEIGHTS
    from services.training import parallel
    from services.training.loop import fit

    options = launch.options_of(given, USUAL)
    if parallel.first():
        making.make_all(command.make, given)
        making.make_all(vocoder_command.make, given)
    parallel.wait()
    paths = [utterances.path_of(given.folder / "utterances", index) for index in range(given.utterances)]
    clips = Clips([dataset.path_of(given.folder / "clips", index) for index in range(given.clips)])
    task = Together(Speaking(paths, batch=UTTERANCES * options.batch, seed=options.seed), clips, options)
    if parallel.first():
        making.keep_amount(given.folder / "together", given.clips, clips.seconds)
    pair = fit(task, given.folder / "together", options, port=given.metrics_port)
    if not parallel.first():
        return 0
    assert isinstance(pair, Pair)
    calibrate(pair.vocoder, lambda size, random: task.heard_from(pair, size, random), seed=options.seed)
    halfway(task.network(), pair)
    worst = max(export(pair.text2speech, SYMBOL_WEIGHTS, FRAME_WEIGHTS), export_vocoder(pair.vocoder, WEIGHTS))
    size = sum(path.stat().st_size for path in (SYMBOL_WEIGHTS, FRAME_WEIGHTS, WEIGHTS)) / 1e6
    sys.stdout.write(
        f"text2speech and the vocoder: {size:.2f} MB, {clips.seconds / 60:.0f} minutes of the teacher's sound, "
        f"{options.steps} steps; the files differ from the networks by {worst:.1e}\n"
    )
    return 0
