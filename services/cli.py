"""`lydia`: start her, simulate a platform, replay a room, plan and train a network, find out what is wrong."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.console import Console
from rich.panel import Panel
from rich.text import Text

from services.core.settings import BadSettings, Settings, load
from services.names import NAMES, Name

if TYPE_CHECKING:
    from services.up import Addresses

log = logging.getLogger(__name__)

NETWORKS = {
    "letters": ("services.speech.model.letters.command", "what reads English words by their letters"),
    "vocoder": ("services.speech.model.vocoder.command", "what makes the natural voice's sound"),
    "speech": ("services.speech.model.text2speech.command", "what says how her words sound"),
    "together": ("services.speech.model.text2speech.finish", "after both: with the vocoder, by what is heard"),
    "voice": ("services.speech.model.recorded.command", "a voice from folders of recordings, without a teacher"),
    "motion": ("services.motion.model.network.command", "what moves her face to a voice that it only hears"),
    "chat": ("services.chat.model.command", "what finds her words"),
}
"""What `lydia train` knows: the module of each, whose `add_arguments` and `run` are its command, and what it is."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="lydia", description="An AI host for live rooms.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="start her in one process")
    up.add_argument("--demo", action="store_true", help="with a simulated, lively Douyin room")
    serve = commands.add_parser("serve", help="run one service of a cluster")
    serve.add_argument("name", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    simulate = commands.add_parser("simulate", help="run a platform's simulator")
    platforms = simulate.add_subparsers(dest="platform", required=True, metavar="PLATFORM")
    douyin = platforms.add_parser("douyin", help="Douyin's live data service and a seeded audience")
    _simulator_arguments(douyin)
    record = commands.add_parser("record", help="write a room's log from the bus of a cluster, for replay")
    record.add_argument("room", metavar="ROOM", help="its id; audience must have been started with record_topic")
    record.add_argument("file", type=Path, metavar="FILE", help="is written anew (names and words!)")
    replay = commands.add_parser("replay", help="run a recorded room again; its decisions must be the same")
    replay.add_argument("file", type=Path, metavar="FILE", help="a room's log, from record_dir or `lydia record`")
    training = commands.add_parser("train", help="train a network of her own")
    networks = training.add_subparsers(dest="network", required=True, metavar="NETWORK")
    for network, (module, what) in NETWORKS.items():
        import_module(module).add_arguments(networks.add_parser(network, help=what))
    planning = commands.add_parser("plan-training", help="say how long a training takes and what it needs")
    _planning_arguments(planning)
    commands.add_parser("doctor", help="say what is wrong on this machine, and how to mend it")
    given = parser.parse_args(arguments)
    match given.command:
        case "up":
            return _up(lambda settings, console: _run(settings, console, demo=given.demo))
        case "serve":
            return _up(lambda settings, console: _serve(settings, console, given.name))
        case "simulate":
            return _simulate(given)
        case "record":
            return _up(lambda settings, console: _record(settings, console, given.room, given.file))
        case "replay":
            return _replay(given.file)
        case "train":
            code: int = import_module(NETWORKS[given.network][0]).run(given)
            return code
        case "plan-training":
            return _plan_training(given)
        case _:
            return _doctor()


def _up(start: Callable[[Settings, Console], int]) -> int:
    console = Console(stderr=True, highlight=False)
    try:
        settings = load()
    except BadSettings as error:
        console.print("She does not start, because of her settings:", style="bold red")
        console.print(str(error), markup=False)
        return 2
    handler = logging.StreamHandler()
    handler.setFormatter(_Wordless("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=settings.telemetry.log_level, handlers=[handler])
    for chatty in ("httpx", "httpcore", "uvicorn.error"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        return start(settings, console)
    except KeyboardInterrupt:  # while the heavy parts load
        return 130


def _run(settings: Settings, console: Console, *, demo: bool) -> int:
    # Its threads would wait for each other actively, and the other cores have other work. Read when numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    # Heavy parts are loaded only now, so that a wrong setting is told at once.
    from services.building.part import CannotStart
    from services.core.embedded_redis import RedisFailed
    from services.process import run
    from services.serving import address, listen
    from services.up import up

    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(listen(settings))
            if demo:
                settings = stack.enter_context(_simulated_room(settings, address(settings, listener)))
            run(up(settings, listener, lambda where: welcome(console, where, demo=demo)))
        except (CannotStart, RedisFailed) as error:
            console.print(f"She does not start: {error}", style="bold red", markup=False, soft_wrap=True)
            return 1
        except BaseExceptionGroup as group:
            log.critical("a part of her failed, so she stops", exc_info=group)
            return 1
    console.print("Good night, galaxy. 晚安，银河。")
    return 0


def _serve(settings: Settings, console: Console, name: Name) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in `_run`
    from services.building.part import CannotStart
    from services.process import run
    from services.serve import serve
    from services.serving import address, listen

    with contextlib.ExitStack() as stack:
        try:
            listener = stack.enter_context(listen(settings))
            where = address(settings, listener)
            run(serve(name, settings, listener, lambda: log.info("%s answers for its health at %s", name, where)))
        except CannotStart as error:
            console.print(f"{name} does not start: {error}", style="bold red", markup=False, soft_wrap=True)
            return 1
        except BaseExceptionGroup as group:
            log.critical("a part of %s failed, so it stops", name, exc_info=group)
            return 1
    return 0


class _Wordless(logging.Formatter):
    """Of exceptions only types and places: their texts may quote what a viewer wrote."""

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is the library's
        return "\n".join(_places(ei[1]))


def _places(error: BaseException | None) -> Iterator[str]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _places(part)
    elif error is not None:
        yield type(error).__qualname__
        yield "".join(traceback.format_tb(error.__traceback__)).rstrip()
        yield from _places(error.__cause__)


def welcome(console: Console, where: Addresses, *, demo: bool = False) -> None:
    """Tells where to click, once everything answers."""
    running = " · ".join(where.rungs.values()) + (" · simulated Douyin audience" if demo else "")
    # What is no terminal is often a log, which keeps and shows what it was told.
    opened = console.is_terminal
    lines = [
        f"[bold]Stage   舞台[/bold]    {where.stage}",
        f"[bold]Console 控制台[/bold]  {where.opened_console if opened else where.console}",
        *([] if opened else [f"its token: {where.token_from}"]),
        "",
        f"running: {running}",
        "stop: Ctrl-C    trouble: lydia doctor",
    ]
    # A frame that is wider than the terminal would be torn, and the addresses with it.
    if max(cell_len(Text.from_markup(line).plain) for line in lines) + 4 <= console.width:
        console.print(Panel("\n".join(lines), title="Lydia 李星澜", expand=False))
    else:
        console.print("\n".join(["Lydia 李星澜", *lines]), soft_wrap=True)


@contextlib.contextmanager
def _simulated_room(settings: Settings, lydia: str) -> Iterator[Settings]:
    """Runs the simulator, which pushes to Lydia's address; yields the settings that let her play in its room."""
    from services.gateway.simulator.main import demo_settings
    from services.gateway.simulator.options import Options

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = ["--port", str(port), "--target", f"{lydia}/platforms/douyin/push", "--unfiltered"]
    arguments += ["--seed", str(settings.audience.seed), "--until-input-ends"]
    simulator = subprocess.Popen(
        [sys.executable, "-m", "services.cli", "simulate", "douyin", *arguments],
        stdin=subprocess.PIPE,  # ends with this process, however that ends, and then the simulator does
        start_new_session=True,
    )
    try:
        changes = demo_settings(Options(port=port))
        yield Settings.model_validate(settings.model_dump() | dict(changes))
    finally:
        simulator.terminate()
        try:
            simulator.wait(5)
        except subprocess.TimeoutExpired:
            simulator.kill()
            simulator.wait()


def _simulator_arguments(parser: argparse.ArgumentParser) -> None:
    from services.gateway.simulator.arguments import add_arguments

    add_arguments(parser)
    parser.add_argument("--until-input-ends", action="store_true", help="stop when standard input is closed")


def _simulate(given: argparse.Namespace) -> int:
    from services.gateway.simulator.arguments import options_of
    from services.gateway.simulator.main import serve

    try:
        options = options_of(given)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    if given.until_input_ends:
        threading.Thread(target=_stop_at_end_of_input, daemon=True).start()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(options))
    return 0


def _stop_at_end_of_input() -> None:
    # Not through sys.stdin: its lock, held here, would hold up the interpreter's end.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _record(settings: Settings, console: Console, room_id: str, file: Path) -> int:
    from services.audience.record import run
    from services.building.part import CannotStart
    from services.core.bus.port import BusUnavailable

    try:
        told, code = asyncio.run(run(settings, room_id, file))
    except (CannotStart, BusUnavailable, OSError) as error:
        console.print(f"The room is not recorded: {error}", style="bold red", markup=False, soft_wrap=True)
        return 1
    console.print(told, markup=False, soft_wrap=True)
    return code


def _replay(file: Path) -> int:
    from services.audience.replay import run

    return run(file, print)


def _planning_arguments(parser: argparse.ArgumentParser) -> None:
    from services.training.plan_command import add_arguments

    add_arguments(parser)


def _plan_training(given: argparse.Namespace) -> int:
    from services.training.plan_command import run

    return run(given)


def _doctor() -> int:
    from services.doctor import examine, report

    return 0 if report(asyncio.run(examine()), Console(highlight=False)) else 1


if __name__ == "__main__":
    sys.exit(main())
