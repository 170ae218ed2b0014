"""A real Prometheus on this machine, from Debian's package (deploy/prometheus.sh installs it)."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import yaml

from deploy.local.process import NO_TLS, LocalServer, ServerFailed, free_port

SCRAPE_S = 2


LYDIAS = {"source_labels": ["__name__"], "regex": "ray_(lydia_.+)", "target_label": "__name__"}
"""Replicas hand their metrics to Ray, which puts its own prefix before Lydia's names."""


class Prometheus(LocalServer):
    """Reads `targets`: job → instance → where it answers (HOST:PORT). Keeps a day of it in `folder`.

    `rules` are rule files. Nobody is told of alerts: they are to be seen at `url`/alerts.
    """

    def __init__(
        self, folder: Path, targets: Mapping[str, Mapping[str, str]], *, port: int = 0, rules: Sequence[Path] = ()
    ) -> None:
        binary = shutil.which("prometheus")
        if binary is None:
            raise ServerFailed("Prometheus is missing. Mend: run deploy/prometheus.sh")
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder = folder
        self._configuration = {
            "global": {"scrape_interval": f"{SCRAPE_S}s", "scrape_timeout": f"{SCRAPE_S}s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [
                {
                    "job_name": job,
                    "metric_relabel_configs": [LYDIAS],
                    "static_configs": [
                        {"targets": [address], "labels": {"instance": instance}}
                        for instance, address in instances.items()
                    ],
                }
                for job, instances in targets.items()
            ],
        }
        super().__init__(
            "Prometheus",
            (
                *(binary, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'data'}"),
                *("--storage.tsdb.retention.time=1d", f"--web.listen-address=127.0.0.1:{self.port}"),
                "--log.level=warn",
            ),
            answers=self._ready,
            log=folder / "prometheus.log",
        )

    async def start(self) -> float:
        """See LocalServer."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / "prometheus.yml"
        path.write_text(yaml.safe_dump(self._configuration, sort_keys=False), encoding="utf-8")
        return await super().start()

    async def _ready(self) -> bool:
        async with httpx.AsyncClient(trust_env=False, verify=NO_TLS) as client:
            try:
                return (await client.get(f"{self.url}/-/ready")).status_code == 200
            except httpx.HTTPError:
                return False
