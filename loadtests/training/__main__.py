"""That sharing out, half precision and being killed change nothing of what is learned: `python -m loadtests.training`.

300 steps of a small network in every way, beside the differences that other seeds make. Takes some minutes.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from loadtests.training.tiny import Counting
from services.training import checkpoint
from services.training.launch import add_arguments, launch, options_of
from services.training.loop import fit
from services.training.report import rows
from services.training.task import Options

USUAL = Options(steps=300, batch=16, rate=3e-3, warm_up=30, keep=100)
SEEDS = (2112, 2113, 2114)
LAST = 5
"""Rows of ten steps, whose mean loss is compared."""
COMMAND = ["-m", "loadtests.training"]
RANKS = {"tensor parallel, 2 ranks": ["--tensor", "2"], "FSDP2, 2 ranks": ["--shard"], "data parallel, 2 ranks": []}


def train(given: argparse.Namespace) -> int:
    """One run."""
    options = options_of(given, USUAL)
    fit(Counting(options, drop=0.1), given.folder, options)
    return 0


def last_loss(folder: Path) -> float:
    """The mean over a run's last rows."""
    return statistics.mean(float(row["loss"]) for row in rows(folder)[-LAST:])


def furthest(one: Path, other: Path) -> float:
    """The largest difference between two curves, as a part of the loss."""
    pairs = zip(rows(one), rows(other), strict=True)
    return max(abs(float(a["loss"]) / float(b["loss"]) - 1) for a, b in pairs)


def started(folder: Path, *more: str) -> None:
    """Runs this program anew. Raises CalledProcessError when it fails."""
    subprocess.run([sys.executable, *COMMAND, "--folder", str(folder), *more], check=True)


def killed_and_resumed(folder: Path) -> None:
    """A run that is killed with SIGKILL after its first checkpoint, wherever it is, and then goes on."""
    process = subprocess.Popen([sys.executable, *COMMAND, "--folder", str(folder)])
    try:
        while checkpoint.newest(folder) is None and process.poll() is None:
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    started(folder)


def compare(folder: Path) -> str:
    """Everything, as a table in Markdown."""
    for seed in SEEDS:
        started(folder / str(seed), "--seed", str(seed))
    first = folder / str(SEEDS[0])
    ends = [last_loss(folder / str(seed)) for seed in SEEDS]
    noise = statistics.stdev(ends)
    lines = [
        f"{USUAL.steps} steps; loss is the mean of the last {10 * LAST}. Three seeds end at "
        f"{', '.join(f'{end:.4f}' for end in ends)}: standard deviation {noise:.4f}.",
        "",
        "| run | loss | off | in standard deviations of the seeds | furthest apart on the way |",
        "|---|---|---|---|---|",
        f"| fp32, one rank | {ends[0]:.4f} | | | |",
    ]
    ways = {name: ["--launcher", "torchrun", "--ranks", "2", *more] for name, more in RANKS.items()}
    ways |= {name: ["--precision", name] for name in ("bf16", "fp16")}
    ways["fp32, Ray Train, 2 ranks"] = ["--launcher", "ray", "--ranks", "2"]
    for number, (name, more) in enumerate(ways.items()):
        own = folder / f"way {number}"
        started(own, *more)
        off = last_loss(own) - ends[0]
        apart = f"{100 * furthest(own, first):.2f} %"
        lines.append(f"| {name} | {ends[0] + off:.4f} | {off:+.4f} | {abs(off) / noise:.2f} | {apart} |")
    killed_and_resumed(folder / "killed")
    same = same_weights(folder / "killed", first)
    lines += ["", f"Killed with SIGKILL and resumed: the weights are {'the same, bit for bit' if same else 'others'}."]
    return "\n".join(lines)


def same_weights(one: Path, other: Path) -> bool:
    """Whether two finished runs have the same weights to the last bit. Nothing is trained any more."""
    own, others = (fit(Counting(USUAL, drop=0.1), folder, USUAL).parameters() for folder in (one, other))
    return all(torch.equal(a, b) for a, b in zip(own, others, strict=True))


def main() -> int:
    """One run into the folder that is named, or the whole comparison."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.training", description="Compare ways of training.")
    parser.add_argument("--folder", type=Path, help="of one run; without it all are made and compared")
    add_arguments(parser, USUAL)
    given = parser.parse_args()
    if given.folder is not None:
        return launch(train, given, [*COMMAND, *sys.argv[1:]])
    with tempfile.TemporaryDirectory() as folder:
        print(compare(Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
