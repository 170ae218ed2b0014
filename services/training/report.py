"""What a run tells while it goes on: a bar, a table with its plot, and metrics for Prometheus."""

from __future__ import annotations

import csv
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Gauge, start_http_server
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from services.training.plot import plot

LOSSES, PLOT = "losses.csv", "losses.svg"
EVERY = 10
"""Steps between rows."""


class Report(AbstractContextManager["Report"]):
    """Of one run, written by its first rank; on others it says nothing."""

    def __init__(self, folder: Path, step: int, steps: int, *, speaks: bool, port: int | None = None) -> None:
        """`step`: where the run goes on; rows after it are of a run that was killed, and are removed."""
        self._path = folder / LOSSES
        self._speaks, self._port = speaks, port
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
        self._bar = Progress(*columns, TimeRemainingColumn(), disable=not speaks)
        self._task = self._bar.add_task("training", total=steps, completed=step)
        self._rows = _until(self._path, step) if speaks else []
        self._last_step, self._before = step, float(self._rows[-1]["seconds"]) if self._rows else 0.0
        self._begun = self._last = time.monotonic()
        registry = CollectorRegistry()
        self._registry = registry
        self._losses = Gauge("lydia_training_loss", "Mean over the last steps, by name", ["name"], registry=registry)
        self._numbers = {
            "step": Gauge("lydia_training_step", "Steps done", registry=registry),
            "rate": Gauge("lydia_training_rate", "Learning rate", registry=registry),
            "norm": Gauge(
                "lydia_training_gradient_norm", "Before clipping, mean over the last steps", registry=registry
            ),
            "scale": Gauge("lydia_training_loss_scale", "Of fp16; 1 otherwise", registry=registry),
            "skipped": Gauge("lydia_training_skipped_steps", "Steps skipped for overflow in fp16", registry=registry),
        }
        self._speed = Gauge("lydia_training_steps_per_second", "Over the last steps", registry=registry)
        self._server: tuple[object, threading.Thread] | None = None

    @property
    def seconds(self) -> float:
        """That the run has taken, with what it took before it was stopped."""
        return self._before + time.monotonic() - self._begun

    def __enter__(self) -> Self:
        if self._speaks and self._port is not None:
            self._server = start_http_server(self._port, addr="127.0.0.1", registry=self._registry)
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._server is not None:
            server, thread = self._server
            server.shutdown()  # type: ignore[attr-defined]
            server.server_close()  # type: ignore[attr-defined]
            thread.join(5)

    def advance(self, step: int) -> None:
        """After every step."""
        self._bar.update(self._task, completed=step)

    def row(self, step: int, losses: Mapping[str, float], numbers: Mapping[str, float]) -> None:
        """Means since the last row; numbers are rate, norm, scale and skipped."""
        if not self._speaks:
            return
        now = time.monotonic()
        speed = (step - self._last_step) / max(now - self._last, 1e-9)
        self._last, self._last_step = now, step
        self._bar.update(self._task, description=f"training, loss {losses['loss']:.3f}")
        for name, value in losses.items():
            self._losses.labels(name).set(value)
        for name, value in {"step": step, **numbers}.items():
            self._numbers[name].set(value)
        self._speed.set(speed)
        row = {"step": str(step), **{name: f"{value:.5g}" for name, value in {**losses, **numbers}.items()}}
        self._rows.append({**row, "seconds": f"{self.seconds:.1f}"})
        new = len(self._rows) == 1
        with self._path.open("w" if new else "a", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, list(self._rows[-1]))
            if new:
                table.writeheader()
            table.writerow(self._rows[-1])

    def draw(self) -> None:
        """The plot of the rows so far."""
        if self._speaks and self._rows:
            not_losses = {"step", "seconds", *self._numbers}
            curves = {
                name: [(float(row["step"]), float(row[name])) for row in self._rows]
                for name in self._rows[0]
                if name not in not_losses
            }
            _write(self._path.with_name(PLOT), plot(curves))


def rows(folder: Path) -> list[dict[str, str]]:
    """Of a run's table: column → value, as text."""
    path = folder / LOSSES
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        # A killed run's last line may be half written.
        return [row for row in csv.DictReader(file) if all(row.values())]


def _until(path: Path, step: int) -> list[dict[str, str]]:
    """The rows up to a step, which are all that is then left in the file."""
    kept = [row for row in rows(path.parent) if int(row["step"]) <= step]
    if kept:
        _write(path, "".join(f"{','.join(line)}\r\n" for line in _lines(kept)))
    else:
        path.unlink(missing_ok=True)
    return kept


def _lines(kept: Sequence[Mapping[str, str]]) -> list[list[str]]:
    return [list(kept[0]), *(list(row.values()) for row in kept)]


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(text, encoding="utf-8", newline="")
    unfinished.replace(path)
