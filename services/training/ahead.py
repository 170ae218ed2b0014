"""Batches in their order, made ahead by processes of their own, so that a GPU does not wait for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch.utils.data import DataLoader, Dataset

from services.training.task import Options

AHEAD = 4
"""Batches that each process has ready at most."""
TIMEOUT_S = 300.0
"""After which a process that makes no batch counts as broken."""


class _Numbered(Dataset[Any]):
    """The micro-batches of the steps from `first` on, by their number."""

    def __init__(self, batch: Callable[[int, int], Any], first: int, count: int, accumulate: int) -> None:
        self._batch, self._first, self._count, self._accumulate = batch, first, count, accumulate

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, number: int) -> Any:
        step, micro = divmod(number, self._accumulate)
        return self._batch(self._first + step, micro)


def _as_it_is(batch: Any) -> Any:
    return batch


@contextmanager
def made_ahead(batch: Callable[[int, int], Any], first: int, end: int, options: Options) -> Iterator[Iterator[Any]]:
    """The micro-batches `batch(step, micro)` of the steps from `first` to before `end`, in order.

    Without workers each is made when it is asked for. Raises RuntimeError when a worker dies or makes nothing.
    """
    numbered = _Numbered(batch, first, (end - first) * options.accumulate, options.accumulate)
    if not options.workers:
        yield (numbered[number] for number in range(len(numbered)))
        return
    # Workers are forked, so that what the task keeps in memory is not copied; they have no use for the GPU.
    loader = DataLoader(
        numbered,
        batch_size=None,
        num_workers=options.workers,
        prefetch_factor=AHEAD,
        timeout=TIMEOUT_S,
        collate_fn=_as_it_is,
        multiprocessing_context="fork",
    )
    batches = iter(loader)
    try:
        yield batches
    finally:
        # Ends the processes, which would otherwise live until this iterator is collected.
        del batches, loader
