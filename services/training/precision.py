"""Low precision: what is computed in half, and a scale that keeps small gradients from vanishing in fp16.

Weights, gradients and the optimizer's state stay in fp32. bf16 has the range of fp32 and needs no scale. In tf32 all is
fp32, but GPUs multiply matrices by the first ten bits behind the point.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from services.training.task import Precision

START = 2.0**16
GROWTH, BACK_OFF, INTERVAL = 2.0, 0.5, 2_000
"""Factors of the scale, and good steps in a row before it grows (Micikevicius et al., "Mixed precision training")."""
SMALLEST = 2.0**-14


class Diverged(Exception):
    """The gradients are no numbers any more."""


def autocast(precision: Precision, device: torch.device) -> AbstractContextManager[Any]:
    """In which forward passes and losses are computed."""
    if precision in ("fp32", "tf32"):
        return nullcontext()
    half: AbstractContextManager[Any] = torch.autocast(
        device.type, torch.bfloat16 if precision == "bf16" else torch.float16
    )
    return half


@contextmanager
def products(precision: Precision) -> Iterator[None]:
    """How products of matrices in full precision are computed, forwards and backwards."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if precision == "tf32" else "highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@dataclass(slots=True)
class Scaler:
    """Dynamic loss scaling. It acts on one norm of all gradients, so that all ranks decide alike.

    torch's own scaler cannot take split and unsplit weights together.
    """

    precision: Precision
    scale: float = 1.0
    good: int = 0
    """Good steps since the scale last changed."""
    skipped: int = 0

    @classmethod
    def of(cls, precision: Precision) -> Scaler:
        """At the beginning of a run."""
        return cls(precision, START if precision == "fp16" else 1.0)

    def accepts(self, finite: bool) -> bool:
        """Whether to take the step, given whether its gradients are finite. Changes the scale for the next one.

        Raises Diverged when nothing can be gained by a smaller scale.
        """
        if self.precision != "fp16":
            if not finite:
                raise Diverged("gradients are infinite or no numbers. Mend: a lower rate, or look at the data")
            return True
        if finite:
            self.good += 1
            if self.good == INTERVAL:
                self.scale, self.good = self.scale * GROWTH, 0
            return True
        if self.scale <= SMALLEST:
            raise Diverged(f"gradients are not finite even at a scale of {self.scale}. Mend: a lower rate, or bf16")
        self.scale, self.good, self.skipped = self.scale * BACK_OFF, 0, self.skipped + 1
        return False
