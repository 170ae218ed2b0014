"""`python -m deploy.local`: the cluster of deploy.local.cluster, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from rich.console import Console

from deploy.local.cluster import OPTIONAL, Cluster, cluster
from deploy.local.process import ServerFailed
from services.building.part import CannotStart
from services.cli import welcome
from services.core.settings import BadSettings, Settings, load
from services.process import signals
from services.up import addresses


def main() -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="A whole cluster on this machine.")
    parser.add_argument(
        "--without", default=[], nargs="+", choices=OPTIONAL, metavar="PART", help=f"leave out: {', '.join(OPTIONAL)}"
    )
    parser.add_argument("--replicas", action="store_true", help="let audience decide in replicas on Ray Serve")
    given = parser.parse_args()
    console = Console(stderr=True, highlight=False)
    try:
        settings = load()
        asyncio.run(_run(settings, given.without, given.replicas, console))
    except BadSettings as error:
        console.print("The cluster does not start, because of the settings:", style="bold red")
        console.print(str(error), markup=False)
        return 2
    except (ServerFailed, CannotStart) as error:
        console.print(f"The cluster does not start: {error}", style="bold red", markup=False, soft_wrap=True)
        return 1
    except _StoppedEarly:
        pass
    return 0


class _StoppedEarly(Exception):
    """Somebody stopped it before it had started."""


async def _run(settings: Settings, without: list[str], replicas: bool, console: Console) -> None:
    begun = time.monotonic()

    def say(text: str) -> None:
        console.print(f"[{time.monotonic() - begun:6.1f} s] {text}", markup=False, soft_wrap=True)

    running = asyncio.current_task()
    assert running is not None
    stop, started = asyncio.Event(), False

    def stopped() -> None:
        if not started and not stop.is_set():
            running.cancel()
        stop.set()

    with signals(stopped):
        try:
            async with cluster(
                settings.data_dir.absolute() / "cluster",
                host=settings.http.host,
                port=settings.http.port or 8080,
                without=without,
                replicas=replicas,
                say=say,
            ) as made:
                started = True
                _there(settings, made, console)
                watching = asyncio.create_task(made.watch(say), name="watch")
                await stop.wait()
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)
        except asyncio.CancelledError:
            if stop.is_set():
                raise _StoppedEarly from None
            raise
    say("everything has stopped")


def _there(settings: Settings, made: Cluster, console: Console) -> None:
    parts = ", ".join(server.name for server in made.servers.values())
    welcome(console, addresses(settings, made.url, {"cluster": f"{len(made.services)} services over {parts}"}))
    for what, url in made.places.items():
        console.print(f"{what}: {url}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
