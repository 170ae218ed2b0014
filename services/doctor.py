"""What is wrong on this machine, and how to mend it. Changes nothing."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table
from rich.text import Text

from services.core.settings import BadSettings, OpenAI, Settings, load
from services.doctor_servers import Amiss, looks
from services.places import BODY, PAGES

LOCAL_SERVERS = {"Ollama": 11434, "LM Studio": 1234, "llama.cpp": 8080, "vLLM": 8000}
"""Where OpenAI-compatible servers listen unless told otherwise."""
PROBE_S = 1.0
FREE_BYTES = 500_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `mend` is what a person can do; empty when there is nothing to mend."""

    what: str
    well: bool
    seen: str
    mend: str = ""


async def examine(environment: dict[str, str] | None = None) -> list[Finding]:
    """Everything that is worth a look, most basic first."""
    findings = [_python()]
    try:
        settings = load(environment)
    except BadSettings as error:
        findings += [
            Finding("settings", False, line, "change or remove this setting") for line in str(error).splitlines()
        ]
        settings = Settings()
    else:
        findings.append(Finding("settings", True, "all understood"))
    findings += [
        _data(settings),
        _port(settings),
        _pages(),
        _body(),
        *_own_body(settings),
        *_own_words(settings),
        *_records(settings),
    ]
    for what, look in _PARTS.items():
        findings.append(await _part(what, look, settings))
    findings += await asyncio.gather(*(_server(what, look) for what, look in looks(settings).items()))
    findings += await _language_models(settings)
    findings += await _speech_server(settings)
    return findings


def report(findings: list[Finding], console: Console) -> bool:
    """Prints them; True when nothing needs mending."""
    table = Table(box=None, show_header=False, padding=(0, 2))
    for finding in findings:
        mark = Text("✓", "green") if finding.well else Text("✗", "bold red")
        table.add_row(mark, Text(finding.what), Text(finding.seen))
        if finding.mend:
            table.add_row("", "", Text(f"→ {finding.mend}", "yellow" if not finding.well else "cyan"))
    console.print(table)
    well = all(finding.well for finding in findings)
    console.print("All is well: `lydia up` will start." if well else "Mend the lines marked ✗, then look again.")
    return well


def _python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    mend = "" if sys.version_info >= (3, 11) else "install Python 3.11 or newer and run `make setup`"
    return Finding("Python", not mend, found, mend)


def _data(settings: Settings) -> Finding:
    folder = settings.data_dir.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return Finding("data folder", False, f"{folder}: {error.strerror}", "set LYDIA_DATA_DIR to a writable folder")
    free = shutil.disk_usage(existing).free
    if free < FREE_BYTES:
        return Finding("data folder", False, f"{folder}: {free // 10**6} MB free", "free some space: she wants 500 MB")
    return Finding("data folder", True, f"{folder}, {free // 10**9} GB free")


def _port(settings: Settings) -> Finding:
    host, port = settings.http.host, settings.http.port
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            seen = f"{host}:{port}: {error.strerror}"
            return Finding("address", False, seen, "stop what listens there (Lydia herself?) or set LYDIA_HTTP__PORT")
    if not settings.http.private:
        if settings.auth.message_token is None:
            seen = f"{host}:{port}: reachable from other machines, and all who reach it may write in any room"
            return Finding("address", False, seen, "set LYDIA_AUTH__MESSAGE_TOKEN, and put TLS and a proxy before it")
        return Finding(
            "address", True, f"{host}:{port}: reachable from other machines", "put TLS and a proxy before it"
        )
    return Finding("address", True, f"http://{host}:{port} is free")


def _pages() -> Finding:
    built = (PAGES / "stage.html").is_file() and (PAGES / "console.html").is_file()
    return Finding("pages", built, "built" if built else "not built", "" if built else "run `make setup`")


def _body() -> Finding:
    path = BODY / "lydia.vrm"
    if not path.is_file():
        return Finding("her body", False, "not built", "run `make setup`")
    return Finding("her body", True, f"{path.stat().st_size / 1e6:.1f} MB")


def _own_body(settings: Settings) -> list[Finding]:
    if settings.stage.avatar is None:
        return []
    from services.stage.vrm_file import BadVrm, read

    try:
        found = read(settings.stage.avatar)
    except BadVrm as error:
        seen, _, mend = str(error).partition(". Mend: ")
        return [
            Finding("own avatar", False, f"{settings.stage.avatar}: {seen}", f"{mend}, or unset LYDIA_STAGE__AVATAR")
        ]
    return [Finding("own avatar", True, f"{settings.stage.avatar}: VRM {found.version}, {found.size / 1e6:.1f} MB")]


def _own_words(settings: Settings) -> list[Finding]:
    if settings.audience.words is None:
        return []
    from services.core.moderation import BadRules, Moderator

    try:
        Moderator.built_in(settings.audience.words)
    except BadRules as error:
        return [Finding("own rules", False, str(error), "mend the file or unset LYDIA_AUDIENCE__WORDS")]
    return [Finding("own rules", True, str(settings.audience.words))]


def _records(settings: Settings) -> list[Finding]:
    folder = settings.record_dir
    if folder is None:
        return []
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
    except OSError as error:
        return [Finding("recording", False, f"{folder}: {error.strerror}", "set LYDIA_RECORD_DIR to a writable folder")]
    return [Finding("recording", True, f"{folder} gets names and words of viewers")]


async def _redis(_: Settings) -> str:
    from services.core.embedded_redis import embedded_redis
    from services.core.state.redis_state import RedisState

    with tempfile.TemporaryDirectory() as folder:
        async with embedded_redis(Path(folder)) as url, RedisState(url) as state:
            await state.get("doctor")
            return "an embedded Redis starts and answers"


async def _voice(_: Settings) -> str:
    from services.speech.speak import speak

    chunks = await speak("你好，I am Lydia.")
    seconds = sum(len(chunk.pcm_s16le) for chunk in chunks) / 2 / 24_000
    return f"espeak-ng speaks in a process of its own ({seconds:.1f} s of sound)"


async def _natural_voice(settings: Settings) -> str:
    from services.speech.model.natural import natural_voice
    from services.speech.speak import speak

    async with natural_voice(own=settings.speech.own_network) as model:
        begun = asyncio.get_running_loop().time()
        chunks = await speak("你好，我是李星澜。Nice to meet you.", model=model)
        took = asyncio.get_running_loop().time() - begun
    seconds = sum(len(chunk.pcm_s16le) for chunk in chunks) / 2 / 24_000
    return f"speaks; a second of sound takes {took / seconds:.2f} s to make"


async def _meaning(_: Settings) -> str:
    from services.chat.meaning import Meaning

    vectors = await asyncio.to_thread(lambda: Meaning().of(["你好"]))
    return f"the sentence embedding loads ({vectors.shape[1]} values)"


_PARTS: dict[str, Callable[[Settings], Awaitable[str]]] = {
    "bus and state": _redis,
    "natural voice": _natural_voice,
    "fast voice": _voice,
    "understanding": _meaning,
}


async def _part(what: str, look: Callable[[Settings], Awaitable[str]], settings: Settings) -> Finding:
    try:
        async with asyncio.timeout(20):
            return Finding(what, True, await look(settings))
    except Exception as error:  # whatever is broken, the others are still looked at
        seen, _, mend = str(error).partition(" Mend: ")
        return Finding(what, False, f"{type(error).__name__}: {seen}", mend or "run `make clean setup`")


async def _server(what: str, look: Callable[[], Awaitable[str]]) -> Finding:
    try:
        return Finding(what, True, await look())
    except Amiss as error:
        return Finding(what, False, str(error), error.mend)


async def _language_models(settings: Settings) -> list[Finding]:
    """Servers that could answer in her place, and the one setting that uses them."""
    if settings.chat.base_url:
        return [await _configured("language model", settings.chat, "LYDIA_CHAT", "her own persona answers")]
    found = []
    for name, port in LOCAL_SERVERS.items():
        url = f"http://127.0.0.1:{port}/v1"
        model = await _models(url)
        if model is not None:
            seen = f"{name} or a server like it at {url}" + (f", with {model}" if model else "")
            found.append(Finding("language model", True, seen, f"to let it answer: LYDIA_CHAT__BASE_URL={url}"))
    none = Finding("language model", True, "none on this machine: her own persona answers")
    return found or [none]


async def _speech_server(settings: Settings) -> list[Finding]:
    if not settings.speech.base_url:
        return []
    return [await _configured("speech server", settings.speech, "LYDIA_SPEECH", "the fast voice speaks")]


async def _configured(what: str, server: OpenAI, prefix: str, otherwise: str) -> Finding:
    key = server.api_key.get_secret_value() if server.api_key else None
    if await _models(server.base_url, key) is not None:
        return Finding(what, True, f"{server.base_url} answers")
    mend = f"start that server, mend {prefix}__API_KEY or unset {prefix}__BASE_URL; until then {otherwise}"
    return Finding(what, False, f"{server.base_url} lists no models", mend)


async def _models(url: str, key: str | None = None) -> str | None:
    """The first model an OpenAI-compatible server offers, "" when it names none, None when there is no such server."""
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx.AsyncClient(timeout=PROBE_S, trust_env=False, headers=headers) as client:
            listed = (await client.get(f"{url.rstrip('/')}/models")).json()
        models = listed["data"]
        return str(models[0]["id"]) if models else ""
    except (httpx.HTTPError, ValueError, KeyError, TypeError, IndexError):
        return None
