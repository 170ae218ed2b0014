"""That sharing out, half precision and being killed change nothing of what is learned: `python -m loadtests.training`.

300 steps of a small network in every way, beside the differences that other seeds make, and what a split network says
beside a whole one. Takes some minutes, and writes README.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from loadtests.training import tiny
from loadtests.training.tiny import Counting
from services.training import checkpoint, parallel
from services.training.launch import add_arguments, launch, options_of
from services.training.loop import commit, fit
from services.training.report import rows
from services.training.task import Options, Precision

USUAL = Options(steps=300, batch=16, rate=3e-3, warm_up=30, keep=100)
SEEDS = (2112, 2113, 2114)
HALVES: tuple[Precision, ...] = ("bf16", "fp16")
LAST = 5
"""Rows of ten steps, whose mean loss is compared."""
ALIKE = 1e-5
"""What a split network may differ by, in logits and gradients."""
COMMAND = ["-m", "loadtests.training"]
PAGE = Path(__file__).with_name("README.md")
FIRST = "first pass.npz"
GPU = """## On a GPU

These print a table each; on a processor they run too, with `--shape mini`:

    python -m loadtests.mfu --shape 1.3b         # a training step: tokens a second, model FLOP utilisation
    python -m loadtests.decoding --shape 1.3b    # the decoding engine against PyTorch eager, 1, 8 and 32 rooms
"""
WAYS: dict[tuple[str, int], dict[str, dict[str, Any]]] = {
    ("torchrun", 2): {
        "tensor parallel, 2 ranks": {"tensor": 2},
        "FSDP2, 2 ranks": {"shard": True},
        "data parallel, 2 ranks": {},
    },
    ("torchrun", 4): {"tensor parallel × FSDP2, 2 × 2 ranks": {"tensor": 2, "shard": True}},
    ("ray", 2): {"data parallel, 2 ranks of Ray Train": {}},
}
"""Launcher and ranks, which are started once → name → options."""
KILLED = "killed and resumed"


def train(given: argparse.Namespace) -> int:
    """One run, or all ways of these ranks that have not run yet."""
    options = options_of(given, USUAL)
    if not given.ways:
        trained(given.folder, options)
        return 0
    with parallel.joined():
        for name, own in WAYS[given.launcher, given.ranks].items():
            if not done(given.folder / name):
                passed(given.folder / name, replace(options, **own))
                trained(given.folder / name, replace(options, **own))
    return 0


def passed(folder: Path, options: Options) -> None:
    """What the untrained network says, and its gradients, into a file."""
    found = tiny.first_pass(options)
    if parallel.first():
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(folder / FIRST, **found)  # type: ignore[arg-type]


def done(folder: Path) -> bool:
    """Whether a run has come to its end."""
    kept = checkpoint.newest(folder)
    return kept is not None and int(checkpoint.numbers(kept)["step"]) == USUAL.steps


def last_loss(folder: Path) -> float:
    """The mean over a run's last rows."""
    return statistics.mean(float(row["loss"]) for row in rows(folder)[-LAST:])


def furthest(one: Path, other: Path) -> float:
    """The largest difference between two curves, as a part of the loss."""
    pairs = zip(rows(one), rows(other), strict=True)
    return max(abs(float(a["loss"]) / float(b["loss"]) - 1) for a, b in pairs)


def trained(folder: Path, options: Options) -> None:
    """A run on these ranks."""
    fit(Counting(options, drop=0.1), folder, options)


def killed_and_resumed(folder: Path) -> int:
    """A run that is killed with SIGKILL after its first checkpoint, wherever it is, and then goes on.

    Returns the step of the checkpoint from which it went on.
    """
    shutil.rmtree(folder, ignore_errors=True)
    process = subprocess.Popen([sys.executable, *COMMAND, "--folder", str(folder)])
    try:
        while checkpoint.newest(folder) is None and process.poll() is None:
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    kept = checkpoint.newest(folder)
    assert kept is not None
    step = int(checkpoint.numbers(kept)["step"])
    trained(folder, USUAL)
    return step


def compare(folder: Path, without: Collection[str]) -> str:
    """Everything, in Markdown. What the folder has already is not made again.

    Raises CalledProcessError when ranks fail.
    """
    for seed in SEEDS:
        trained(folder / str(seed), replace(USUAL, seed=seed))
    whole = folder / str(SEEDS[0])
    ends = [last_loss(folder / str(seed)) for seed in SEEDS]
    noise, untrained = statistics.stdev(ends), tiny.first_pass(USUAL)
    lines = [
        f"{USUAL.steps} steps; loss is the mean of the last {10 * LAST}. Three seeds end at "
        f"{', '.join(f'{end:.4f}' for end in ends)}: standard deviation {noise:.4f}, and their curves are up to "
        f"{100 * max(furthest(folder / str(seed), whole) for seed in SEEDS[1:]):.2f} % apart. First pass: the largest "
        f"difference of a logit or a gradient of the untrained network; {ALIKE:g} is allowed.",
        "",
        "| run | loss | off | in standard deviations of the seeds | curves apart, at most | first pass |",
        "|---|---|---|---|---|---|",
        f"| fp32, one rank | {ends[0]:.4f} | | | | |",
    ]
    for precision in HALVES:
        trained(folder / precision, replace(USUAL, precision=precision))
        lines.append(row(precision, folder / precision, whole, noise))
    for (launcher, ranks), ways in WAYS.items():
        names = [name for name in ways if name not in without]
        if not all(done(folder / name) for name in names):
            more = ["--folder", str(folder), "--ways", "--launcher", launcher, "--ranks", str(ranks)]
            subprocess.run([sys.executable, *COMMAND, *more], check=True)
        for name in names:
            with np.load(folder / name / FIRST) as found:
                worst = max(float(np.abs(found[key] - untrained[key]).max()) for key in untrained)
            much = "" if worst <= ALIKE else ", too much"
            lines.append(f"{row(name, folder / name, whole, noise)[:-2]} {worst:.0e}{much} |")
    if KILLED not in without:
        step = killed_and_resumed(folder / KILLED)
        same = "the same, bit for bit" if same_weights(folder / KILLED, whole) else "others"
        lines += ["", f"Killed with SIGKILL and resumed at step {step}: the weights are {same}."]
    if without:
        lines += ["", f"Left out this time: {'; '.join(without)}."]
    return "\n".join(lines)


def row(name: str, own: Path, whole: Path, noise: float) -> str:
    """A run beside the one in full precision on one rank."""
    off = last_loss(own) - last_loss(whole)
    apart = 100 * furthest(own, whole)
    return f"| {name} | {last_loss(own):.4f} | {off:+.4f} | {abs(off) / noise:.2f} | {apart:.2f} % | |"


def same_weights(one: Path, other: Path) -> bool:
    """Whether two finished runs have the same weights to the last bit. Nothing is trained any more."""
    own, others = (fit(Counting(USUAL, drop=0.1), folder, USUAL).parameters() for folder in (one, other))
    return all(torch.equal(a, b) for a, b in zip(own, others, strict=True))


def write(table: str) -> None:
    """The page."""
    PAGE.write_text(
        "# Ways of training, compared\n\nWritten by `python -m loadtests.training`; change the code, not this page. A "
        f"network of a transformer's shape learns which word follows each, on {platform.machine()} with "
        f"{os.cpu_count()} processors that had other work too, torch {torch.__version__}, code at {commit()}; "
        f"runs that the named folder had already are kept.\n\n{table}\n\n{GPU}",
        encoding="utf-8",
    )


def main() -> int:
    """One run into the folder that is named, or the whole comparison."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.training", description="Compare ways of training.")
    parser.add_argument("--folder", type=Path, help="of one run; without it all are made and compared")
    parser.add_argument("--all-in", type=Path, help="where all runs go, and where those that are finished are kept")
    parser.add_argument("--ways", action="store_true", help="of the run: each way to use so many ranks")
    names = [KILLED, *(name for ways in WAYS.values() for name in ways)]
    parser.add_argument("--without", choices=names, nargs="+", default=[], help="what to leave out")
    add_arguments(parser, USUAL)
    given = parser.parse_args()
    if given.folder is not None:
        return launch(train, given, [*COMMAND, *sys.argv[1:]])
    with tempfile.TemporaryDirectory() as folder:
        table = compare(given.all_in or Path(folder), given.without)
    write(table)
    print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
