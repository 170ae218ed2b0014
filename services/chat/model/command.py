"""`lydia train chat`: the tokenizer, the network, its folder of weights."""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from services.chat.model.config import SIZES
from services.training import launch
from services.training.task import Options

if TYPE_CHECKING:
    from torch import nn

USUAL = Options(
    steps=5_000,
    batch=16,
    rate=3e-3,
    warm_up=60,
    decay=0.5,
    betas=(0.9, 0.95),
    weight_decay=0.05,
    average=0.98,
    keep=100,
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--folder", type=Path, default=Path("build/chat"), help="keeps tokenizer, checkpoints, losses")
    parser.add_argument("--size", choices=SIZES, default="mini", help="of the network (default %(default)s)")
    launch.add_go_on(parser)
    launch.add_arguments(parser, USUAL)


def run(given: argparse.Namespace) -> int:
    """Starts the program here or on the ranks that are asked for. Returns the exit code."""
    return launch.run(program, given, USUAL)


def program(given: argparse.Namespace) -> int:
    """Prepares, trains and exports; every part takes up what it finds done. Returns the exit code."""
    from services.chat.model import dialogues
    from services.chat.model.export import export
    from services.chat.model.lessons import Lessons
    from services.chat.model.prompt import Facts
    from services.chat.model.task import ChatTask
    from services.chat.model.vocabulary import prepared
    from services.chat.model.weights import NAME, load_into
    from services.chat.model.writer import OWN
    from services.chat.persona import load
    from services.training.loop import fit
    from services.training.parallel import first, wait

    persona, chosen = load(), launch.options_of(given, USUAL)
    if first():
        if given.go_on:
            given.folder.mkdir(parents=True, exist_ok=True)
            for name in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copyfile(OWN / name, given.folder / name)
        prepared(given.folder, persona)
    wait()
    tokenizer = prepared(given.folder, persona)
    lessons = Lessons(persona, dialogues.load(), Facts.read())
    config = SIZES[given.size]
    task = ChatTask(lessons, tokenizer, config, batch=chosen.batch, seed=chosen.seed)

    def begin(network: nn.Module) -> None:
        if given.go_on:
            load_into(network, OWN / NAME)

    network = fit(task, given.folder, chosen, port=given.metrics_port, begin=begin)
    if first():
        worst = export(network, config, given.folder / "tokenizer.json", OWN)
        size = (OWN / NAME).stat().st_size / 1e6
        sys.stdout.write(f"{NAME}: {size:.1f} MB; exported logits differ by {worst:.1e} of their size\n")
    return 0
