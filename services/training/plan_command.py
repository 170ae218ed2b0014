"""`lydia plan-training`: the calculator as a table or as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from services.training.gpus import GPUS
from services.training.original import CHAT_DAYS, FEW, MANY, OTHER_DAYS, others, readings
from services.training.plan import Network, NoFit, Plan, plan
from services.training.published import FURTHER, RUNS, TOLERANCE

WIDTH = 160
"""Of what is written into files and pipes, in characters."""
SUFFIXES = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def number(text: str) -> float:
    """A positive number as people write it: 125M, 1.3B, 2T."""
    try:
        value = float(text[:-1]) * SUFFIXES[text[-1].upper()] if text[-1:].upper() in SUFFIXES else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: is no number. Write it like 125M, 1.3B or 2T.") from None
    if not 0 < value < 1e18:
        raise argparse.ArgumentTypeError(f"{text}: must be above zero and below 10^18.")
    return value


def share(text: str) -> float:
    """A number above 0, at most 1."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text}: must be a share of the peak, like 0.4.")
    return value


def count(text: str) -> int:
    """A whole number, at least 1."""
    if not text.isascii() or not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f"{text}: must be a whole number from 1 to 1000000.")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--parameters", type=number, default=1.3e9, help="of the network: 125M, 1.3B (default), 7B …")
    parser.add_argument("--tokens", type=number, help="to read (default: 20 for each parameter)")
    parser.add_argument("--gpu", choices=sorted(GPUS), default="A100-80", help="default A100-80")
    parser.add_argument("--gpus", type=count, default=64, help="how many (default 64)")
    parser.add_argument("--layers", type=count, help="default: the usual shape")
    parser.add_argument("--hidden", type=count, help="width of a layer, with --layers")
    parser.add_argument("--heads", type=count, help="of attention; default: one for 128 of the width")
    parser.add_argument("--sequence", type=count, default=2048, help="tokens in a sequence (default 2048)")
    parser.add_argument("--vocabulary", type=count, default=32_000, help="default 32000")
    parser.add_argument("--batch-tokens", type=number, default=4e6, help="for one step of the optimizer (default 4M)")
    parser.add_argument("--micro-batch", type=count, default=1, help="sequences at once on a GPU (default 1)")
    parser.add_argument(
        "--shard", choices=("none", "optimizer", "all"), default="optimizer",
        help="what data-parallel GPUs share: nothing, the optimizer's values, or weights and gradients too (FSDP)",
    )  # fmt: skip
    parser.add_argument("--utilisation", type=share, help="share of the peak reached (default: the GPU's)")
    parser.add_argument("--published", action="store_true", help="compare with published trainings instead")
    parser.add_argument("--original", action="store_true", help="how the original's claim can be read, instead")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(given: argparse.Namespace) -> int:
    """Prints what was asked for. Returns the exit code."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = WIDTH
    if given.published:
        return _show(given.json, console, _published_values(), _published_table())
    if given.original:
        values: dict[str, Any] = {"chat": [asdict(reading) for reading in readings()]}
        values["others"] = [asdict(other) for other in others()]
        return _show(given.json, console, values, *_original_tables())
    try:
        made = plan(
            _network(given), given.tokens or 20 * given.parameters, GPUS[given.gpu], given.gpus,
            batch_tokens=given.batch_tokens, micro_batch=given.micro_batch, shard=given.shard,
            utilisation=given.utilisation,
        )  # fmt: skip
    except (NoFit, ValueError) as problem:
        sys.stderr.write(f"{problem}\n")
        return 1
    return _show(given.json, console, asdict(made) | {"mfu": made.mfu}, _plan_table(made))


def _network(given: argparse.Namespace) -> Network:
    """Raises ValueError for half a shape."""
    if (given.layers is None) != (given.hidden is None):
        raise ValueError("--layers and --hidden: give both or none.")
    if given.layers is None:
        return Network.of(given.parameters, given.sequence, given.vocabulary)
    heads = given.heads or max(given.hidden // 128, 1)
    return Network(given.parameters, given.layers, given.hidden, heads, given.sequence, given.vocabulary)


def _show(as_json: bool, console: Console, values: object, *tables: Table) -> int:
    if as_json:
        sys.stdout.write(json.dumps(values, indent=1) + "\n")
        return 0
    for table in tables:
        console.print(table)
    return 0


def _plan_table(made: Plan) -> Table:
    network, layout, memory = made.network, made.layout, made.memory
    table = Table(title=f"{amount(network.parameters)} parameters, {amount(made.tokens)} tokens", title_justify="left")
    table.add_column("")
    table.add_column("", justify="right")
    table.add_column("how it comes about")
    flop = network.flop_per_token(layout.recompute) * made.tokens
    speed = f"{made.utilisation:.0%} of {made.gpu.peak_tflops:g} TFLOP/s on {made.gpus} × {made.gpu.name}"
    table.add_row("days", f"{made.days:.2f}", f"{flop:.2e} FLOP, {speed}")
    table.add_row("MFU", f"{made.mfu:.0%}", f"without what is recomputed ({made.gpu.because})")
    shape = f"{network.layers} layers × {network.hidden}, {network.heads} heads, {network.sequence} tokens"
    table.add_row("shape", "", shape)
    spread = f"{layout.tensor} × {layout.pipeline} × {layout.data}"
    filled = f"{layout.micro_batches} micro batches a step, {layout.bubble:.1%} of the time to fill the pipeline"
    table.add_row("tensor × pipeline × data", spread, filled)
    table.add_row("recomputed", layout.recompute, f"spread over data-parallel GPUs: {layout.shard}")
    for name, gigabytes in (
        ("weights", memory.weights), ("gradients", memory.gradients), ("optimizer", memory.optimizer),
        ("activations", memory.activations),
    ):  # fmt: skip
        note = f"{memory.activations_recomputed:.1f} GB if all were recomputed" if name == "activations" else ""
        table.add_row(name, f"{gigabytes:.1f} GB", note)
    table.add_row("memory of a GPU", f"{memory.total:.1f} GB", f"of {made.gpu.memory_gb:g} GB")
    return table


def _published_values() -> dict[str, Any]:
    runs = [
        asdict(run) | {"computed": run.computed, "off": run.off, "within": abs(run.off) <= TOLERANCE} for run in RUNS
    ]
    return {"tolerance": TOLERANCE, "runs": runs, "without enough data": FURTHER}


def _published_table() -> Table:
    within = sum(abs(run.off) <= TOLERANCE for run in RUNS)
    table = Table(
        title=f"published trainings: {within} of {len(RUNS)} within {TOLERANCE:.0%} of the time", title_justify="left"
    )
    for name in ("run", "GPUs", "published", "computed", "", "longer by", "source, and why it does not fit"):
        table.add_column(name, justify="left" if name in ("run", "", "source, and why it does not fit") else "right")
    for run in RUNS:
        table.add_row(
            run.name, f"{run.gpus} {run.gpu}", f"{run.published:,.4g}", f"{run.computed:,.4g}", run.unit,
            f"{run.off:+.0%}", f"{run.source}: {run.misfit}" if run.misfit else run.source,
        )  # fmt: skip
    for name, because in FURTHER.items():
        table.add_row(name, "", "", "not planned", "", "", because)
    return table


def _original_tables() -> tuple[Table, Table]:
    chat = Table(title=f"'10 TB in {CHAT_DAYS:g} days on tens of A100', read in five ways", title_justify="left")
    for name in ("reading", "tokens", f"parameters, {FEW} GPUs", f"{MANY} GPUs", "verdict"):
        chat.add_column(name, justify="left" if name in ("reading", "verdict") else "right")
    for reading in readings():
        sizes = (amount(reading.smallest), amount(reading.largest))
        chat.add_row(reading.reads, amount(reading.tokens), *sizes, reading.verdict)
    rest = Table(title=f"'{OTHER_DAYS:g} days for the other two'", title_justify="left")
    for name in ("guess", f"hours on {FEW} A100", "verdict"):
        rest.add_column(name, justify="right" if "hours" in name else "left")
    for other in others():
        fits = other.hours_needed <= OTHER_DAYS * 24
        rest.add_row(other.name, f"{other.hours_needed:.1f}", "plausible, generous" if fits else "not in two days")
    return chat, rest


def amount(value: float) -> str:
    """As people write it: 1.3 B."""
    for suffix, size in reversed(SUFFIXES.items()):
        if value >= size:
            return f"{value / size:.3g} {suffix}"
    return f"{value:.3g}"
