"""`lydia train vocoder`: the teacher's speech, the network trained on it, its weights in the repository."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from services.places import VOICE
from services.training import launch, making
from services.training.task import Options

if TYPE_CHECKING:
    from torch import nn

RUN = Path(__file__).parent / "run.json"
"""What the weights come from; the model card tells it."""
USUAL = Options(steps=8_000, batch=8, rate=1e-3, clip=5.0, average=0.998)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--folder", type=Path, default=Path("build/vocoder"), help="keeps clips, checkpoint and losses")
    parser.add_argument("--clips", type=int, default=700, help="clips of about six seconds to make (default 700)")
    making.add_makers(parser)
    launch.add_go_on(parser)
    launch.add_arguments(parser, USUAL)


def run(given: argparse.Namespace) -> int:
    """Everything that is missing of it. Returns the exit code."""
    from services.speech.natural.files import DECODER, ENCODER, SOURCE, VOICES, FilesUnavailable, check

    try:
        check(VOICE, ENCODER, SOURCE, DECODER, VOICES)
    except FilesUnavailable as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return launch.run(train, given, USUAL)


def train(given: argparse.Namespace) -> int:
    """On every rank: clips, training; on the first, the exported network. Returns the exit code."""
    # Heavy parts are loaded only now: every command reads this file's options.
    from services.speech.model.vocoder import dataset
    from services.speech.model.vocoder.calibrate import calibrate
    from services.speech.model.vocoder.export import export
    from services.speech.model.vocoder.network import Network
    from services.speech.model.vocoder.train import Clips, Vocoding
    from services.speech.model.vocoder.vocoder import WEIGHTS
    from services.training import parallel
    from services.training.loop import commit, fit
    from services.training.weights import read_back

    options = launch.options_of(given, USUAL)
    if parallel.first():
        making.make_all(make, given)
    parallel.wait()
    clips = Clips([dataset.path_of(given.folder / "clips", index) for index in range(given.clips)])

    def begin(network: nn.Module) -> None:
        assert isinstance(network, Network)
        if given.go_on:
            read_back(network, [WEIGHTS], lambda files: export(network, *files))

    network = fit(Vocoding(clips, options), given.folder, options, port=given.metrics_port, begin=begin)
    if not parallel.first():
        return 0
    assert isinstance(network, Network)
    calibrate(network, lambda size, random: clips.batch(size, random, slice(None)), seed=options.seed)
    difference = export(network)
    made: dict[str, Any] = {"clips": given.clips, "minutes": round(clips.seconds / 60, 1), **asdict(options)}
    made |= {"parameters": sum(value.numel() for value in network.parameters()), "commit": commit()}
    made |= {"remarks": json.loads(RUN.read_text()).get("remarks", "") if RUN.exists() else ""}
    made |= {"megabytes": round(WEIGHTS.stat().st_size / 1e6, 2), "export_difference": round(difference, 4)}
    RUN.write_text(json.dumps(made, indent=1) + "\n")
    sys.stdout.write(
        f"{WEIGHTS.name}: {made['megabytes']} MB, {made['minutes']} minutes of speech, {given.steps} steps\n"
    )
    return 0


def make(given: argparse.Namespace, part: tuple[int, int]) -> None:
    """The clips that are missing, of one part of so many."""
    from services.speech.model.vocoder import dataset
    from services.speech.model.vocoder.texts import reading

    dataset.make(given.folder / "clips", given.clips, given.seed, dataset.Teacher(VOICE), reading(VOICE), part)
