"""Trains the tiny task on several ranks in several ways, and keeps what came of it. For tests."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from loadtests.training.tiny import Counting, first_pass
from services.training import parallel
from services.training.launch import add_arguments, launch, options_of
from services.training.loop import fit
from services.training.task import Options

OPTIONS = Options(steps=12, batch=8, rate=3e-3, warm_up=3, keep=6, average=0.9)


def weights(network: nn.Module) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    """Name → values."""
    return {name: parallel.whole(weight).numpy() for name, weight in network.named_parameters()}


def program(given: argparse.Namespace) -> int:
    """Each way of sharing out, in a folder of its own."""
    options = options_of(given, OPTIONS)
    kept: dict[str, dict[str, Any]] = {}
    kept["split once"] = first_pass(replace(options, tensor=2))
    ways: dict[str, dict[str, Any]] = {"copies": {}, "shared": {"shard": True}, "split": {"tensor": 2}}
    for name, way in ways.items():
        own = replace(options, **way)
        kept[name] = weights(fit(Counting(own), given.folder / name, own))
    own = replace(options, shard=True)
    fit(Counting(own), given.folder / "stopped", own, 6)
    kept["stopped"] = weights(fit(Counting(own), given.folder / "stopped", own))
    fit(Counting(own), given.folder / "halfway", own, 6)
    if parallel.first():
        for name, values in kept.items():
            np.savez(given.folder / f"{name}.npz", **values)
    return 0


def main(arguments: Sequence[str]) -> int:
    """Starts it on as many ranks as the command line says."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    add_arguments(parser, OPTIONS)
    return launch(program, parser.parse_args(arguments), ["-m", "tests.unit.training.ranks", *arguments])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
