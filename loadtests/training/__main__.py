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
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from loadtests.training.tiny import Counting
from services.training import checkpoint
from services.training.launch import add_arguments, launch, options_of
from services.training.loop import fit
from services.training.report import rows
from services.training.task import Options, Precision

USUAL = Options(steps=300, batch=16, rate=3e-3, warm_up=30, keep=100)
SEEDS = (2112, 2113, 2114)
HALVES: tuple[Precision, ...] = ("bf16", "fp16")
RAY = "data parallel, 2 ranks of Ray Train"
LAST = 5
"""Rows of ten steps, whose mean loss is compared."""
COMMAND = ["-m", "loadtests.training"]
WAYS: dict[str, dict[str, Any]] = {
    "tensor parallel, 2 ranks": {"tensor": 2},
    "FSDP2, 2 ranks": {"shard": True},
    "data parallel, 2 ranks": {},
}


def train(given: argparse.Namespace) -> int:
    """One run, or on several ranks one of each way."""
    options = options_of(given, USUAL)
    runs = {name: replace(options, **way) for name, way in WAYS.items()} if given.ways else {"": options}
    for name, own in runs.items():
        fit(Counting(own, drop=0.1), given.folder / name, own)
    return 0


def last_loss(folder: Path) -> float:
    """The mean over a run's last rows."""
    return statistics.mean(float(row["loss"]) for row in rows(folder)[-LAST:])


def furthest(one: Path, other: Path) -> float:
    """The largest difference between two curves, as a part of the loss."""
    pairs = zip(rows(one), rows(other), strict=True)
    return max(abs(float(a["loss"]) / float(b["loss"]) - 1) for a, b in pairs)


def trained(folder: Path, options: Options) -> None:
    """A run on one rank."""
    fit(Counting(options, drop=0.1), folder, options)


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
    trained(folder, USUAL)


def compare(folder: Path) -> str:
    """Everything, as a table in Markdown."""
    for seed in SEEDS:
        trained(folder / str(seed), replace(USUAL, seed=seed))
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
    for precision in HALVES:
        trained(folder / precision, replace(USUAL, precision=precision))
    started(folder, "--ways", "--launcher", "torchrun", "--ranks", "2")
    started(folder / RAY, "--launcher", "ray", "--ranks", "2")
    for name in (*HALVES, *WAYS, RAY):
        own = folder / name
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
    parser.add_argument("--ways", action="store_true", help="one run of each way to use several ranks")
    add_arguments(parser, USUAL)
    given = parser.parse_args()
    if given.folder is not None:
        return launch(train, given, [*COMMAND, *sys.argv[1:]])
    with tempfile.TemporaryDirectory() as folder:
        print(compare(Path(folder)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
