"""What share of a GPU's arithmetic a training step makes use of: `python -m loadtests.mfu --shape 1.3b`.

Steps of her chat network on random tokens, in the loop that trains all her networks: batch, both directions, clipping,
optimizer. A step lasts from the call for its batch to the call for the next one's. Model FLOP utilisation: what the
network itself needs, without anything computed twice, over the data sheet's peak (arXiv 2204.02311, appendix B). On
several GPUs: `--launcher torchrun --ranks 8 --shard`.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from loadtests.decoding import DTYPES, seconds
from services.chat.model.config import SIZES, Config
from services.chat.model.network import Network, parallel_plan
from services.training import plan
from services.training.gpus import GPUS
from services.training.launch import add_arguments, launch, options_of
from services.training.loop import fit
from services.training.parallel import first, joined
from services.training.task import Options, drawn, share

USUAL = Options(steps=20, batch=4, precision="bf16", keep=10**9)
WARM_UP = 5
"""First steps, which do not count."""


class Enough(Exception):
    """All steps are timed. It ends the run before a checkpoint would be written."""


class Timed:
    """A task that notes when each of its steps begins."""

    def __init__(self, config: Config, length: int, options: Options) -> None:
        """`length`: tokens of a text."""
        self._config, self._length, self._options = config, length, options
        self.begun: list[float] = []

    def network(self) -> nn.Module:
        return Network(self._config)

    def batch(self, step: int, micro: int, rank: int, ranks: int) -> Tensor:
        """[own share, length + 1]. The step before has ended: its gradients' norm was waited for."""
        if micro == 0:
            self.begun.append(time.perf_counter())
            if len(self.begun) > self._options.steps:
                raise Enough
        random = drawn(self._options.seed, step, micro)
        tokens = random.integers(self._config.vocabulary, size=(self._options.batch, self._length + 1))
        return torch.from_numpy(tokens[share(self._options.batch, rank, ranks)])

    def loss(self, network: nn.Module, batch: Tensor) -> Mapping[str, Tensor]:
        logits, _ = network(batch[:, :-1])
        return {"loss": functional.cross_entropy(logits.flatten(0, 1).float(), batch[:, 1:].flatten())}

    def parallel_plan(self) -> Mapping[str, object]:
        return parallel_plan(self._config)

    @property
    def step(self) -> float:
        """Median seconds of a step."""
        lasted = [after - before for before, after in pairwise(self.begun)]
        return statistics.median(lasted[min(WARM_UP, len(lasted) - 1) :])


def needed(config: Config, length: int) -> float:
    """FLOP of a token, forwards and backwards. Looking up a token in the first matrix is no arithmetic."""
    looked_up = 0 if config.tied else config.vocabulary * config.width
    shape = plan.Network(config.parameters - looked_up, config.layers, config.width, config.heads, length)
    return shape.flop_per_token()


def product(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of the product of two large matrices: what is to be had here at best."""
    size = 8192 if device.type == "cuda" else 512
    one, other = torch.randn(2, size, size, device=device, dtype=dtype).unbind()
    return 2 * size**3 / seconds(device, lambda: one @ other)


def peak(device: torch.device) -> float | None:
    """FLOP/s in half precision by the data sheet, for a GPU that is known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((1e12 * gpu.peak_tflops for gpu in GPUS.values() if gpu.name.split("-")[0] in name.split("-")[0]), None)


def program(given: argparse.Namespace) -> int:
    """Times the steps, and prints the table on the first rank."""
    options = options_of(given, USUAL)
    config = SIZES[given.shape]
    task = Timed(config, given.length, options)
    with joined(), tempfile.TemporaryDirectory() as folder, suppress(Enough):
        fit(task, Path(folder), replace(options, steps=options.steps + 1))
    if not first():
        return 0
    ranks = int(os.environ.get("WORLD_SIZE", "1"))
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    best, sheet = product(device, DTYPES[options.precision]), peak(device)
    tokens = options.batch * options.accumulate * given.length
    reached = tokens / task.step * needed(config, given.length) / ranks
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
    mfu = f"{100 * reached / sheet:.1f} %" if sheet else "no data sheet"
    print(
        f"{given.shape}, {config.parameters / 1e6:,.0f} M parameters, {options.precision}, {ranks} × {where}\n\n"
        "| tokens a step | step, ms | tokens/s | TFLOP/s a rank | of a matrix product's here | MFU |\n"
        "|---|---|---|---|---|---|\n"
        f"| {tokens} | {1000 * task.step:.0f} | {tokens / task.step:.0f} | {reached / 1e12:.3g} "
        f"| {100 * reached / best:.1f} % | {mfu} |"
    )
    return 0


def main(arguments: Sequence[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.mfu", description="Measure a training step.")
    parser.add_argument("--shape", choices=sorted(SIZES), default="mini", help="of the network")
    parser.add_argument("--length", type=int, default=2048, help="tokens of a text (default %(default)s)")
    add_arguments(parser, USUAL)
    return launch(program, parser.parse_args(arguments), ["-m", "loadtests.mfu", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
