"""`lydia train speech`: what the open encoder says, the network trained on it, its weights in the repository."""

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

USUAL = Options(steps=6_000, batch=16, rate=2e-3, decay=0.4, average=0.998)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument(
        "--folder", type=Path, default=Path("build/speech"), help="keeps utterances, checkpoint and losses"
    )
    parser.add_argument("--utterances", type=int, default=4000, help="utterances to make (default %(default)s)")
    making.add_makers(parser)
    launch.add_go_on(parser)
    launch.add_arguments(parser, USUAL)


def run(given: argparse.Namespace) -> int:
    """Everything that is missing of it. Returns the exit code."""
    from services.speech.natural.files import ENCODER, ENGLISH, SYMBOLS, VOICES, FilesUnavailable, check

    try:
        check(VOICE, ENCODER, VOICES, SYMBOLS, ENGLISH)
    except FilesUnavailable as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return launch.run(train, given, USUAL)


def train(given: argparse.Namespace) -> int:
    """On every rank: utterances, training; on the first, the exported network. Returns the exit code."""
    # Heavy parts are loaded only now: every command reads this file's options.
    from services.speech.model.text2speech import utterances
    from services.speech.model.text2speech.encoder import FRAME_WEIGHTS, SYMBOL_WEIGHTS
    from services.speech.model.text2speech.export import export
    from services.speech.model.text2speech.network import Network
    from services.speech.model.text2speech.speaking import Speaking
    from services.training import parallel
    from services.training.loop import fit
    from services.training.weights import read_back

    options = launch.options_of(given, USUAL)
    if parallel.first():
        making.make_all(make, given)
    parallel.wait()
    paths = [utterances.path_of(given.folder / "utterances", index) for index in range(given.utterances)]
    task = Speaking(paths, batch=options.batch, seed=options.seed)
    if parallel.first():
        making.keep_amount(given.folder / "run", len(paths), task.seconds)

    def begin(network: nn.Module) -> None:
        assert isinstance(network, Network)
        if given.go_on:
            read_back(network, [SYMBOL_WEIGHTS, FRAME_WEIGHTS], lambda files: export(network, *files))

    network = fit(task, given.folder / "run", options, port=given.metrics_port, begin=begin)
    if not parallel.first():
        return 0
    assert isinstance(network, Network)
    worst = export(network)
    size = sum(path.stat().st_size for path in (SYMBOL_WEIGHTS, FRAME_WEIGHTS)) / 1e6
    sys.stdout.write(
        f"text2speech: {size:.2f} MB, {task.seconds / 60:.0f} minutes of speech, {options.steps} steps; "
        f"the files differ from the network by {worst:.1e}\n"
    )
    return 0


def make(given: argparse.Namespace, part: tuple[int, int]) -> None:
    """The utterances that are missing, of one part of so many."""
    import numpy as np

    from services.speech.model.text2speech import utterances
    from services.speech.model.vocoder.texts import reading
    from services.speech.natural.encoder import Encoder
    from services.speech.natural.files import ENCODER, VOICES

    with np.load(VOICE / VOICES) as voices:
        tables = {name: voices[name] for name in voices.files}
    folder = given.folder / "utterances"
    utterances.make(folder, given.utterances, given.seed, Encoder(VOICE / ENCODER), tables, reading(VOICE), part)
