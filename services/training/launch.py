"""Starts a training program once or on many ranks: here, by torchrun, or by Ray Train.

torchrun itself may also start it, on as many machines as it likes: the program then finds its ranks in the environment.
Ray Train takes the cluster that RAY_ADDRESS names, or starts Ray on this machine for as long as it trains.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from services.training.task import Options

Program = Callable[[argparse.Namespace], int]
"""Trains as the command line says. Returns the exit code. Ray finds it by its name, so it is a module's function."""


def add_arguments(parser: argparse.ArgumentParser, usual: Options) -> None:
    """The options that all programs share; `usual` are the defaults."""
    for name, what in {
        "steps": "training steps",
        "batch": "examples of a micro-batch, over all ranks together",
        "accumulate": "micro-batches to a step",
        "seed": "of data and training",
        "keep": "steps between checkpoints",
        "threads": "processor threads of a rank",
        "workers": "processes of a rank that make its batches ahead",
        "tensor": "ranks among which each matrix is split",
    }.items():
        parser.add_argument(f"--{name}", type=int, default=getattr(usual, name), help=f"{what} (default %(default)s)")
    parser.add_argument("--rate", type=float, default=usual.rate, help="highest learning rate (default %(default)s)")
    kinds = ("fp32", "tf32", "bf16", "fp16")
    parser.add_argument("--precision", choices=kinds, default=usual.precision, help="of the arithmetic")
    parser.add_argument("--shard", action="store_true", default=usual.shard, help="share weights out among the ranks")
    parser.add_argument("--metrics-port", type=int, help="where Prometheus finds the metrics, on loopback")
    parser.add_argument("--launcher", choices=("here", "torchrun", "ray"), default="here", help="what starts the ranks")
    parser.add_argument("--ranks", type=int, default=1, help="how many the launcher starts (default 1)")
    parser.add_argument("--restarts", type=int, default=0, help="how often failed ranks are started anew (default 0)")


def add_go_on(parser: argparse.ArgumentParser) -> None:
    """The option to begin with what is there, of programs that can read their weights back."""
    parser.add_argument("--go-on", action="store_true", help="begin a new run with the weights in the repository")


def options_of(given: argparse.Namespace, usual: Options) -> Options:
    """What the command line says. Raises ValueError when it contradicts itself."""
    names = (
        "steps",
        "batch",
        "accumulate",
        "seed",
        "keep",
        "threads",
        "workers",
        "tensor",
        "rate",
        "precision",
        "shard",
    )
    return replace(usual, **{name: getattr(given, name) for name in names})


def run(program: Program, given: argparse.Namespace, usual: Options) -> int:
    """Starts the program as `launch` does, for a command line of `lydia train`. Returns the exit code, having said on
    stderr what is wrong with the command line, and what the machine lacks.
    """
    try:
        options_of(given, usual)
    except ValueError as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    try:
        return launch(program, given, ["-m", "services.cli", *sys.argv[1:]])
    except ImportError as missing:
        sys.stderr.write(f"training needs {missing.name}. Mend: pip install -e '.[train]'\n")
        return 1


def launch(program: Program, given: argparse.Namespace, command: Sequence[str]) -> int:
    """Runs the program on all ranks that the command line asks for. Returns the exit code.

    `command`: Python's arguments that lead to this call again in a new process, for torchrun.
    """
    if "WORLD_SIZE" in os.environ or given.launcher == "here":
        from services.training.parallel import joined

        with joined():
            return program(given)
    return _torchrun(given, command) if given.launcher == "torchrun" else _ray(program, given)


def _torchrun(given: argparse.Namespace, command: Sequence[str]) -> int:
    own = [f"--nproc-per-node={given.ranks}", f"--max-restarts={given.restarts}", "--standalone"]
    process = subprocess.Popen([sys.executable, "-m", "torch.distributed.run", *own, *command])
    try:
        return process.wait()
    finally:
        if process.poll() is None:
            process.terminate()  # it then ends its ranks, which a killed one would leave behind
            process.wait()


def _ray(program: Program, given: argparse.Namespace) -> int:
    import ray
    import torch
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    # A worker's folder is another one.
    absolute = {name: value.absolute() if isinstance(value, Path) else value for name, value in vars(given).items()}
    folder = absolute["folder"]
    folder.mkdir(parents=True, exist_ok=True)
    own = not ray.is_initialized() and "RAY_ADDRESS" not in os.environ
    if own:
        # Ray would let everything else on the machine go first.
        os.environ.setdefault("RAY_worker_niceness", "0")
        # Ranks may be more than processors, and one more is for whom they report to: it would wait for ever for it.
        ray.init(num_cpus=given.ranks + 1, include_dashboard=False, _node_ip_address="127.0.0.1")
    trainer = TorchTrainer(
        _on_ray,
        train_loop_config={"program": program, "given": absolute},
        scaling_config=ScalingConfig(num_workers=given.ranks, use_gpu=torch.cuda.is_available()),
        run_config=RunConfig(
            storage_path=str(folder / "ray"), failure_config=FailureConfig(max_failures=given.restarts)
        ),
    )
    try:
        trainer.fit()
    finally:
        if own:
            ray.shutdown()
    return 0


def _on_ray(given: dict[str, Any]) -> None:
    """A rank, whom Ray has introduced to the others. Raises RuntimeError when its program fails."""
    code = given["program"](argparse.Namespace(**given["given"]))
    if code:
        raise RuntimeError(f"the training program ended with {code}")
