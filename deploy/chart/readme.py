"""The table of values in the chart's README, from values.yaml: its comments are the meanings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from deploy.chart import schema
from deploy.chart.render import CHART

README = CHART / "README.md"
BEGIN, END = "<!-- values -->\n", "<!-- /values -->\n"
LINE = re.compile(
    r'^(?P<indent> *)(?P<name>[\w-]+):(?: +(?P<value>"[^"]*"|[^#\s](?:[^#]|#(?! ))*?))?(?: +# (?P<meaning>.*))?$'
)


def text() -> str:
    """The file, with the table as it is now. Raises ValueError where its place is not marked."""
    before, begin, rest = README.read_text(encoding="utf-8").partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{README} has no {BEGIN.strip()} … {END.strip()}")
    rows = "\n".join(f"| `{name}` | {f'`{value}`' if value else ''} | {meaning} |" for name, value, meaning in values())
    return f"{before}{BEGIN}| value | by default | |\n|---|---|---|\n{rows}\n{END}{after}"


def values() -> Iterator[tuple[str, str, str]]:
    """Every value: its name, default and meaning. Groups are among them where they have a meaning of their own."""
    above: list[tuple[int, str]] = []
    for line in (CHART / "values.yaml").read_text(encoding="utf-8").splitlines():
        found = LINE.match(line)
        if not found:
            continue
        indent = len(found["indent"])
        while above and above[-1][0] >= indent:
            above.pop()
        name = ".".join((*(each for _, each in above), found["name"]))
        if found["value"] is None:
            above.append((indent, found["name"]))
        meaning = found["meaning"] or _described(name)
        if found["value"] is not None or found["meaning"]:
            yield name, (found["value"] or "").replace("|", "\\|"), meaning.replace("|", "\\|")


def _described(name: str) -> str:
    """What the schema says of a value."""
    of = schema.whole()
    definitions = of["$defs"]
    for part in name.split("."):
        of = of.get("properties", {}).get(part, {})
        if "$ref" in of:
            of = definitions[of["$ref"].rpartition("/")[2]] | {key: text for key, text in of.items() if key != "$ref"}
    found = of.get("description") or " or ".join(map(str, of.get("enum", ())))
    return str(found)
