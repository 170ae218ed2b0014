"""`lydia train chat`: the tokenizer, the network, its folder of weights."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from services.chat.model.config import SIZES

if TYPE_CHECKING:
    from services.training.task import Options

STEPS, BATCH, SEED, RATE = 5_000, 16, 2112, 3e-3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--folder", type=Path, default=Path("build/chat"), help="keeps tokenizer, checkpoints, losses")
    parser.add_argument("--size", choices=SIZES, default="mini", help="of the network (default %(default)s)")
    parser.add_argument("--steps", type=int, default=STEPS, help="training steps (default %(default)s)")
    parser.add_argument("--batch", type=int, default=BATCH, help="lessons of a step (default %(default)s)")
    parser.add_argument("--accumulate", type=int, default=1, help="batches to a step (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="of lessons and training (default %(default)s)")
    parser.add_argument("--rate", type=float, default=RATE, help="highest learning rate (default %(default)s)")
    parser.add_argument("--keep", type=int, default=100, help="steps between checkpoints (default %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="processor threads of a rank (default %(default)s)")
    parser.add_argument("--precision", choices=("fp32", "bf16", "fp16"), default="fp32", help="of the arithmetic")
    parser.add_argument("--tensor", type=int, default=1, help="ranks among which each matrix is split")
    parser.add_argument("--shard", action="store_true", help="share weights out among the ranks")
    parser.add_argument("--metrics-port", type=int, help="where Prometheus finds the metrics, on loopback")
    parser.add_argument("--launcher", choices=("here", "torchrun", "ray"), default="here", help="what starts the ranks")
    parser.add_argument("--ranks", type=int, default=1, help="how many the launcher starts (default 1)")
    parser.add_argument("--restarts", type=int, default=0, help="how often failed ranks are started anew (default 0)")


def run(given: argparse.Namespace) -> int:
    """Starts the program here or on the ranks that are asked for. Returns the exit code."""
    # Heavy parts are loaded only now: every command reads this file's options.
    try:
        from services.training.launch import launch
    except ImportError as missing:
        sys.stderr.write(f"training needs {missing.name}. Mend: pip install -e '.[train]'\n")
        return 1
    return launch(program, given, ["-m", "services.cli", *sys.argv[1:]])


def options(given: argparse.Namespace) -> Options:
    """What the command line says. Raises ValueError when it contradicts itself."""
    from services.training.launch import options_of
    from services.training.task import Options

    usual = Options(steps=STEPS, warm_up=60, decay=0.5, betas=(0.9, 0.95), weight_decay=0.05, average=0.98)
    return options_of(given, usual)


def program(given: argparse.Namespace) -> int:
    """Prepares, trains and exports; every part takes up what it finds done. Returns the exit code."""
    from services.chat.model import dialogues
    from services.chat.model.export import export
    from services.chat.model.lessons import Lessons
    from services.chat.model.prompt import Facts
    from services.chat.model.task import ChatTask
    from services.chat.model.vocabulary import prepared
    from services.chat.model.weights import NAME
    from services.chat.model.writer import OWN
    from services.chat.persona import load
    from services.training.loop import fit
    from services.training.parallel import first, wait

    persona, chosen = load(), options(given)
    if first():
        prepared(given.folder, persona)
    wait()
    tokenizer = prepared(given.folder, persona)
    lessons = Lessons(persona, dialogues.load(), Facts.read())
    config = SIZES[given.size]
    task = ChatTask(lessons, tokenizer, config, batch=chosen.batch, seed=chosen.seed)
    network = fit(task, given.folder, chosen, port=given.metrics_port)
    if first():
        worst = export(network, config, given.folder / "tokenizer.json", OWN)
        size = (OWN / NAME).stat().st_size / 1e6
        sys.stdout.write(f"{NAME}: {size:.1f} MB; exported logits differ by {worst:.1e} of their size\n")
    return 0
