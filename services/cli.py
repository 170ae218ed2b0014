"""`lydia`: start her, simulate a platform, replay a room, train a network, find out what is wrong."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.panel import Panel

from services.core.settings import BadSettings, Settings, load

SIMULATOR_PORT = 8090


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="lydia", description="An AI host for live rooms.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start her in one process")
    up.add_argument("--demo", action="store_true", help="with a simulated, lively Douyin room")
    simulate = commands.add_parser("simulate", help="run a platform's simulator")
    platforms = simulate.add_subparsers(dest="platform", required=True, metavar="PLATFORM")
    douyin = platforms.add_parser("douyin", help="Douyin's live data service and a seeded audience")
    _simulator_arguments(douyin)
    replay = commands.add_parser("replay", help="run a recorded room again; its decisions must be the same")
    replay.add_argument("file", type=Path, metavar="FILE", help="a room's log, from record_dir")
    training = commands.add_parser("train", help="train a network of her own")
    networks = training.add_subparsers(dest="network", required=True, metavar="NETWORK")
    _vocoder_arguments(networks.add_parser("vocoder", help="what makes the natural voice's sound"))
    commands.add_parser("doctor", help="say what is wrong on this machine, and how to mend it")
    given = parser.parse_args(arguments)
    match given.command:
        case "up":
            return _up(demo=given.demo)
        case "simulate":
            return _simulate(given)
        case "replay":
            return _replay(given.file)
        case "train":
            return _train(given)
        case _:
            return _doctor()


def _up(*, demo: bool) -> int:
    console = Console(stderr=True, highlight=False)
    try:
        settings = load()
    except BadSettings as error:
        console.print("She does not start, because of her settings:", style="bold red")
        console.print(str(error), markup=False)
        return 2
    logging.basicConfig(
        level=settings.telemetry.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    for chatty in ("httpx", "httpcore", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    # Heavy parts are loaded only now, so that a wrong setting is told at once.
    from services.core.embedded_redis import RedisFailed
    from services.up import Addresses, CannotStart, run, up

    simulator: subprocess.Popen[bytes] | None = None

    def ready(where: Addresses) -> None:
        nonlocal simulator
        _welcome(console, where, demo=demo)
        if demo:
            simulator = _start_simulator(settings, where)

    try:
        run(up(_in_demo(settings) if demo else settings, ready))
    except (CannotStart, RedisFailed) as error:
        console.print(f"She does not start: {error}", style="bold red", markup=False)
        return 1
    finally:
        if simulator is not None:
            simulator.terminate()
            simulator.wait(10)
    console.print("Good night, galaxy. 晚安，银河。")
    return 0


def _welcome(console: Console, where: object, *, demo: bool) -> None:
    from services.up import Addresses

    assert isinstance(where, Addresses)
    running = " · ".join(rung for rung in where.rungs.values())
    lines = [
        f"[bold]Stage   舞台[/bold]    {where.stage}",
        f"[bold]Console 控制台[/bold]  {where.console}",
        "",
        f"running: {running}" + (" · simulated Douyin audience" if demo else ""),
        "stop: Ctrl-C    trouble: lydia doctor",
    ]
    console.print(Panel("\n".join(lines), title="Lydia 李星澜", expand=False), soft_wrap=True)


def _in_demo(settings: Settings) -> Settings:
    from services.gateway.simulator.main import demo_settings
    from services.gateway.simulator.options import Options

    changes = demo_settings(Options(port=SIMULATOR_PORT))
    return Settings.model_validate(settings.model_dump() | dict(changes))


def _start_simulator(settings: Settings, where: object) -> subprocess.Popen[bytes]:
    from services.up import Addresses

    assert isinstance(where, Addresses)
    target = where.stage.split("/rooms/")[0] + "/platforms/douyin/push"
    command = [sys.executable, "-m", "services.cli", "simulate", "douyin"]
    command += [
        "--port",
        str(SIMULATOR_PORT),
        "--target",
        target,
        "--unfiltered",
        "--seed",
        str(settings.audience.seed),
    ]
    return subprocess.Popen(command, start_new_session=True)


def _simulator_arguments(parser: argparse.ArgumentParser) -> None:
    from services.gateway.simulator.main import add_arguments

    add_arguments(parser)


def _simulate(given: argparse.Namespace) -> int:
    from services.gateway.simulator.main import options_of, serve

    try:
        options = options_of(given)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options))
    return 0


def _replay(file: Path) -> int:
    from services.audience.replay import run

    return run(file, print)


def _vocoder_arguments(parser: argparse.ArgumentParser) -> None:
    from services.speech.model.vocoder.command import add_arguments

    add_arguments(parser)


def _train(given: argparse.Namespace) -> int:
    from services.speech.model.vocoder.command import run

    return run(given)


def _doctor() -> int:
    from services.doctor import examine, report

    return 0 if report(asyncio.run(examine()), Console(highlight=False)) else 1


if __name__ == "__main__":
    sys.exit(main())
