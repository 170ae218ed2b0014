"""Topics and rights, from the code's declarations, as the chart's templates read them."""

from __future__ import annotations

from typing import Any

import yaml

from services.access import ACCESS, NOBODY, READINESS, reads
from services.core import topics
from services.names import Name

HEAD = "# Written by `python -m deploy.chart` from services/core/topics.py and services/access.py.\n"


def text() -> str:
    """The file."""
    names = (*topics.LAYOUTS, *map(topics.dead, topics.LAYOUTS))
    content = {
        "topics": {name: _topic(name) for name in names},
        "users": {name: _rights(name) for name in ACCESS},
    }
    return HEAD + yaml.safe_dump(content, sort_keys=False, width=120)


def _topic(name: str) -> dict[str, Any]:
    layout = topics.layout(name)
    return {"partitions": layout.partitions, "config": layout.config()}


def _rights(name: Name) -> list[dict[str, Any]]:
    """As `acls` of a KafkaUser."""
    buries = tuple(map(topics.dead, reads(name)))
    topic, group = READINESS
    rights: dict[tuple[str, str], set[str]] = {}
    for kind, named, what in (
        *(("topic", each, "Read") for each in reads(name)),
        *(("topic", each, "Write") for each in (*ACCESS[name].writes, *buries)),
        *(("group", each, "Read") for each in (*topics.groups_of(name), NOBODY)),
        ("topic", topic, "Describe"),
        ("group", group, "Describe"),
    ):
        rights.setdefault((kind, named), {"Describe"}).add(what)
    named_rights = [
        {
            "resource": {"type": kind, "name": named, "patternType": "literal"},
            "operations": sorted(what),
        }
        for (kind, named), what in rights.items()
    ]
    # So that brokers tell how full their disks are.
    return [*named_rights, {"resource": {"type": "cluster"}, "operations": ["Describe"]}]
