"""The model card: what a network comes from and what was measured, written from its run."""

from __future__ import annotations

from pathlib import Path

from services.training import checkpoint
from services.training.report import PLOT, rows


def card(
    path: Path, folder: Path, *, title: str, about: str, data: str, figures: str, again: str, curve: bool = True
) -> None:
    """Writes the card, and beside it the curve of the losses.

    folder: of the run. about: what the network is and is for. data: what it learned from. figures: tables in Markdown,
    of what was measured. again: the commands that make it anew. Raises FileNotFoundError when the folder has no run.
    """
    found = checkpoint.newest(folder)
    if found is None:
        raise FileNotFoundError(f"{folder} holds no checkpoint. Mend: train first, or name the run's folder")
    run, losses = checkpoint.numbers(found), rows(folder)
    options = run["options"]
    examples = options["batch"] * options["accumulate"]
    skipped = run["scaler"]["skipped"]
    shares = f" in {run['ranks']} ranks" if run["ranks"] > 1 else ""
    lines = [
        f"# {title}",
        f"Written from the run that made the weights; change the code, not this page.\n\n{about.strip()}",
        f"## What it learned from\n\n{data.strip()}",
        "## The run",
        "\n".join(
            [
                f"- {run['parameters']:,} parameters; {run['step']:,} steps of {examples} examples; seed "
                f"{options['seed']}; code at {', '.join(run['commits'])}",
                f"- AdamW, learning rate {options['rate']:g} after {options['warm_up']} steps, falling over the last "
                f"{100 * options['decay']:.0f} %, arithmetic in {options['precision']}"
                + (f" ({skipped} steps skipped for overflow)" if skipped else ""),
                f"- {run['seconds'] / 60:.0f} minutes on {run['device']}{shares}, {options['threads']} threads a rank, "
                f"torch {run['torch']}",
            ]
        ),
    ]
    if losses:
        skip = {"step", "seconds", "rate", "norm", "scale", "skipped"}
        names = [name for name in losses[0] if name not in skip]
        table = ["| step | " + " | ".join(names) + " |", "|---|" + "---|" * len(names)]
        chosen = sorted({0, len(losses) // 4, len(losses) // 2, 3 * len(losses) // 4, len(losses) - 1})
        table += [f"| {losses[i]['step']} | " + " | ".join(losses[i][name] for name in names) + " |" for i in chosen]
        lines.append("\n".join(table))
    if curve and (folder / PLOT).exists():
        path.with_name(PLOT).write_bytes((folder / PLOT).read_bytes())
        lines.append(f"![losses by step]({PLOT})")
    lines += [f"## Measured\n\n{figures.strip()}", f"## Making it anew\n\n{again.strip()}"]
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    unfinished.replace(path)
