"""The loop that trains any of Lydia's networks, on one processor or on many GPUs."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from services.places import ROOT
from services.training import checkpoint, parallel
from services.training.ahead import made_ahead
from services.training.parallel import World
from services.training.precision import Diverged, Scaler, autocast, products
from services.training.report import EVERY, Report
from services.training.task import Options, Task, rate_at

SAME = ("seed", "batch", "accumulate")
"""Options that say which data come when: a run cannot go on with others."""


def fit(
    task: Task,
    folder: Path,
    options: Options,
    until: int | None = None,
    *,
    port: int | None = None,
    begin: Callable[[nn.Module], None] | None = None,
) -> nn.Module:
    """Trains from the folder's checkpoint, when there is one, to the end; the same as if it had never stopped.

    Returns a whole network on the processor, on every rank: with averaged weights when the options ask for them.
    `until`: the step before which to stop, to go on another time. `port`: where Prometheus finds the metrics.
    `begin`: gives a new run's network other weights than the task's, the same on every rank.
    Raises ValueError when the folder holds another run, and Diverged when the gradients are no numbers any more.
    """
    with parallel.joined():
        return _Run(task, folder, options, begin).go(until, port)


class _Run:
    """What changes from step to step."""

    def __init__(self, task: Task, folder: Path, options: Options, begin: Callable[[nn.Module], None] | None) -> None:
        torch.set_num_threads(options.threads)
        folder.mkdir(parents=True, exist_ok=True)
        self._task, self._folder, self._options = task, folder, options
        self._world: World = parallel.world(options.tensor)
        torch.manual_seed(options.seed)
        found = checkpoint.newest(folder)
        self._network = task.network()
        if begin is not None and found is None:
            begin(self._network)
        self._network.train()
        parallel.spread(self._network, task, self._world, options)
        self._weights = dict(self._network.named_parameters())
        self._optimizer = _optimizer(self._weights.values(), options)
        self._average = {} if options.average is None else {n: w.detach().clone() for n, w in self._weights.items()}
        self._scaler = Scaler.of(options.precision)
        self._step, self._commits = 0, [commit()]
        if found is not None:
            self._resume(found)

    def go(self, until: int | None, port: int | None) -> nn.Module:
        options = self._options
        end = options.steps if until is None else min(until, options.steps)
        losses: list[Mapping[str, Tensor]] = []
        norms: list[float] = []
        speaks = self._world.rank == 0
        with (
            Report(self._folder, self._step, options.steps, speaks=speaks, port=port) as report,
            products(options.precision),
            made_ahead(self._batch, self._step, end, options) as batches,
        ):
            while self._step < end:
                rate = rate_at(self._step, options)
                found, norm = self._learn(rate, batches)
                losses.append(found)
                norms.append(norm)
                self._step += 1
                report.advance(self._step)
                if self._step % EVERY == 0 or self._step == end:
                    means = parallel.means(_mean(losses), self._world)
                    finite = [norm for norm in norms if np.isfinite(norm)]
                    scale, skipped = self._scaler.scale, self._scaler.skipped
                    numbers = {
                        "rate": rate,
                        "norm": float(np.mean(finite or [0.0])),
                        "scale": scale,
                        "skipped": skipped,
                    }
                    report.row(self._step, means, numbers)
                    losses, norms = [], []
                if self._step % options.keep == 0 or self._step == end:
                    report.draw()
                    self._keep(report.seconds)
        return self._result()

    def _batch(self, step: int, micro: int) -> Any:
        return self._task.batch(step, micro, self._world.data_rank, self._world.data_ranks)

    def _learn(self, rate: float, batches: Iterator[Any]) -> tuple[Mapping[str, Tensor], float]:
        """One step. Its losses, and the norm of its gradients, which is infinite when fp16 could not hold them."""
        options, world, scaler = self._options, self._world, self._scaler
        self._optimizer.zero_grad(set_to_none=True)
        found = []
        for micro in range(options.accumulate):
            batch = next(batches)
            torch.manual_seed(_seed(options.seed, self._step, micro, world.data_rank))
            with autocast(options.precision, world.device):
                losses = self._task.loss(self._network, parallel.moved(batch, world.device))
            torch.autograd.backward(losses["loss"].float() * (scaler.scale / options.accumulate))
            found.append({name: value.detach() for name, value in losses.items()})
        parts = parallel.gather_gradients(self._weights.values(), world, shard=options.shard)
        norm = parallel.gradient_norm(self._weights.values(), world).item() / scaler.scale
        shrink = min(1.0, options.clip / (norm + 1e-6)) / scaler.scale
        try:
            accepted = scaler.accepts(bool(np.isfinite(norm)))
        except Diverged as problem:
            raise Diverged(f"step {self._step}: {problem}") from None
        if accepted:
            torch._foreach_mul_(parts, shrink)
            for group in self._optimizer.param_groups:
                group["lr"] = rate
            self._optimizer.step()
            self._follow()
        return _mean(found), norm

    def _follow(self) -> None:
        """Moves the average towards the weights; quickly at first, when it is still that of the untrained ones."""
        if self._options.average is None:
            return
        kept = min(self._options.average, self._step / (self._step + 10))
        means = [parallel.local(mean) for mean in self._average.values()]
        now = [parallel.local(self._weights[name].detach()) for name in self._average]
        with torch.no_grad():
            torch._foreach_lerp_(means, now, 1 - kept)

    def _keep(self, seconds: float) -> None:
        numbers: dict[str, Any] = {
            "step": self._step,
            "options": asdict(self._options),
            "scaler": {"scale": self._scaler.scale, "good": self._scaler.good, "skipped": self._scaler.skipped},
            "commits": self._commits,
            "parameters": sum(weight.numel() for weight in self._weights.values()),
            "ranks": self._world.ranks,
            "device": _device(self._world.device),
            "torch": str(torch.__version__),
            "seconds": round(seconds, 1),
        }
        checkpoint.keep(self._folder, self._step, self._network, self._optimizer, self._average, numbers)

    def _resume(self, path: Path) -> None:
        kept = checkpoint.numbers(path)
        before, now = kept["options"], asdict(self._options)
        other = [f"{name} was {before[name]} and is {now[name]}" for name in SAME if before[name] != now[name]]
        if (before["average"] is None) != (now["average"] is None):
            other.append(f"average was {before['average']} and is {now['average']}")
        if other:
            raise ValueError(f"{self._folder} holds another run: {', '.join(other)}. Mend: another folder")
        checkpoint.resume(path, self._network, self._optimizer, self._average)
        self._step = int(kept["step"])
        if before["precision"] == now["precision"]:
            self._scaler = Scaler(self._options.precision, **kept["scaler"])
        self._commits = [*kept["commits"], *(new for new in self._commits if new != kept["commits"][-1])]

    def _result(self) -> nn.Module:
        """The trained network, whole."""
        with torch.no_grad():
            if self._world.mesh is None:
                for name, mean in self._average.items():
                    self._weights[name].copy_(mean)
                return self._network.cpu().eval()
            torch.manual_seed(self._options.seed)
            network = self._task.network()
            own = dict(network.named_parameters())
            for name, weight in self._weights.items():
                own[name].copy_(parallel.whole(self._average.get(name, weight)))
            buffers = dict(network.named_buffers())
            for name, buffer in self._network.named_buffers():
                buffers[name].copy_(parallel.whole(buffer))
            return network.eval()


def commit() -> str:
    """Of the code, marked when it was changed since; nothing outside a repository."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _optimizer(weights: Any, options: Options) -> torch.optim.Optimizer:
    weights = list(weights)
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": options.weight_decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    given = [group for group in groups if group["params"]]
    return torch.optim.AdamW(given, lr=options.rate, betas=options.betas)


def _seed(*numbers: int) -> int:
    """Of dropout and the like, for one micro-batch."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _mean(found: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.stack([losses[name] for losses in found]).mean() for name in found[0]}


def _device(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "processor"
