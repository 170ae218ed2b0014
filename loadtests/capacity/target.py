"""What is measured: `lydia up`, or the same services as processes of their own over Kafka, Redis and Triton."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from deploy.local.process import free_port
from loadtests.bench import MANY_ROOMS, NO_IDLE_TALK
from loadtests.capacity.processes import of_command, used
from loadtests.process import lydia
from services.core.settings import PREFIX

OPERATOR = "capacity-operator"
EVERYTHING = {"LYDIA_GATEWAY__ROOM_PER_S": "1e6", "LYDIA_GATEWAY__ALL_PER_S": "1e6"}
"""Nothing of the crowd is left out: what an event costs that is taken is the question."""
ONE_REPLICA = {"LYDIA_RAY__MAX_REPLICAS": "1"}
"""None is started while the processors' time is read."""


@dataclass(frozen=True)
class Target:
    """A running one."""

    address: str
    token: str
    parts: dict[str, int]
    """Name → process."""
    inside: dict[str, list[int]] = field(default_factory=dict)
    """Name → processes that count for themselves"""
    within: str = ""
    """and not for this part, below whose process they are."""
    metrics: tuple[str, ...] = ()
    """Where each process answers for its metrics."""

    def client(self) -> httpx.AsyncClient:
        """For the outside surface, as its operator."""
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx.AsyncClient(base_url=f"http://{self.address}", headers=headers, timeout=20, trust_env=False)

    def used(self) -> tuple[dict[str, float], dict[str, float]]:
        """Processor seconds and resident megabytes of every part."""
        whole = {name: used(pid) for name, pid in self.parts.items()}
        own = {name: [used(pid) for pid in pids] for name, pids in self.inside.items()}
        cpu, memory = (
            {name: getattr(found, what) for name, found in whole.items()} for what in ("cpu_s", "resident_mb")
        )
        for name, found in own.items():
            cpu[name], memory[name] = sum(each.cpu_s for each in found), sum(each.resident_mb for each in found)
            cpu[self.within] -= cpu[name]
            memory[self.within] -= memory[name]
        return cpu, memory

    async def records(self, client: httpx.AsyncClient) -> dict[str, int]:
        """Topic → records published: as many as its most diligent reader has finished."""
        found: dict[tuple[str, str], int] = {}
        for place in self.metrics:
            for family in text_string_to_metric_families((await client.get(place)).text):
                for sample in family.samples:
                    if sample.name == "lydia_records_handled_total":
                        key = sample.labels["topic"], sample.labels["service"]
                        found[key] = found.get(key, 0) + int(sample.value)
        topics = {topic for topic, _ in found}
        return {topic: max(count for (of, _), count in found.items() if of == topic) for topic in topics}


@asynccontextmanager
async def up(folder: Path, voice: Mapping[str, str]) -> AsyncIterator[Target]:
    """`lydia up`: her own process, her Redis, and the helpers of the fast voice."""
    async with lydia(folder / "data", {**voice, **NO_IDLE_TALK, **MANY_ROOMS, **EVERYTHING}) as process:
        pid = process.child.pid
        inside = {"redis": of_command(pid, b"redis"), "fast voice": of_command(pid, b"espeak")}
        yield Target(
            process.address, process.token, {"lydia": pid}, inside, "lydia", (f"http://{process.address}/metrics",)
        )


@asynccontextmanager
async def cluster(folder: Path, voice: Mapping[str, str], *, replicas: bool = False) -> AsyncIterator[Target]:
    """The services apart, over the real servers. With `replicas`, the audience decides on Ray Serve."""
    from deploy.local.cluster import cluster as local  # needs the cluster's packages

    settings = {
        **voice, **NO_IDLE_TALK, **MANY_ROOMS, **EVERYTHING, **ONE_REPLICA,
        "LYDIA_AUTH__OPERATOR_TOKEN": OPERATOR,
        "LYDIA_DATA_DIR": str(folder / "data"),
    }  # fmt: skip
    strange = [name for name in os.environ if name.startswith(PREFIX)]
    if strange:
        raise RuntimeError(f"these settings would change what is measured: {', '.join(strange)}. Mend: unset them")
    without = ("prometheus", "spans")
    async with local(folder, port=free_port(), without=without, replicas=replicas, settings=settings) as made:
        parts = {name: server.pid for name, server in (*made.services.items(), *made.servers.items())}
        metrics = tuple(f"http://127.0.0.1:{port}/metrics" for port in made.ports.values())
        inside = {"replica": of_command(parts["ray"], b"ray::ServeReplica")} if replicas else {}
        yield Target(made.url.removeprefix("http://"), OPERATOR, parts, inside, "ray", metrics)
