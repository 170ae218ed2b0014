"""deploy/compose.yaml run by Docker: she answers, while each container is killed or made anew in mid-sentence."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import secrets
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import yaml
from websockets.exceptions import ConnectionClosed

from deploy.local import kafka
from deploy.release.binaries import Programs, run
from deploy.release.docker import docker
from deploy.release.images import BASES, OURS, SERVERS, bases, built
from deploy.release.performing import SEED, SPEAKS_S, giving
from deploy.release.steps import Report, expect
from loadtests import renderer
from loadtests.faults.room import People, Watcher, watching
from services.places import ROOT
from services.probe import probe

COMPOSE = ROOT / "deploy" / "compose.yaml"
DOCKERFILE = Path(__file__).with_name("compose.Dockerfile")
WATCHERS = "lydia-proof/watchers:1"
PACKAGES: Mapping[str, str] = {WATCHERS: "haproxy,prometheus,wget"}
NETWORK = "lydia_default"
FRONT, PROMETHEUS = "127.0.0.1:8080", "127.0.0.1:9090"
VICTIMS = ("chat", "speech", "motion", "stage", "audience", "gateway", "front", "triton", "redis", "kafka")
"""What is killed, in this order."""
ANEW = ("gateway", "stage")
"""What is made anew, as with another image: the front has to find it at its new address."""
WELL_S = 300.0
KILLED = 128 + signal.SIGKILL
"""The exit code of what did not end by itself."""
THANKS = """
import asyncio, json
from loadtests.kill import thanks
from services.core.bus.kafka import open_kafka
from services.core.settings import Kafka

async def main():
    async with open_kafka(Kafka(bootstrap_servers="kafka:9092")) as bus:
        print(json.dumps(await thanks(bus)))

asyncio.run(main())
"""


async def proof(programs: Programs, folder: Path, report: Report) -> None:
    """Brings everything up, and lets her speak. Raises NotProven, CannotBuild, ServerFailed, probe.Failed."""
    await asyncio.to_thread(kafka.fetch)
    program, token = programs.compose, secrets.token_hex(16)
    async with docker(folder, network=True) as there:
        await asyncio.to_thread(_images, folder, report, there)
        composed = Composed(program, there | {"LYDIA_OPERATOR_TOKEN": token})
        try:
            with report.step("docker compose up --wait"):
                await composed("up", "--wait", "--wait-timeout", f"{WELL_S:g}")
            await _speaks(composed, token, report)
            with report.step("docker compose stop in mid-sentence, which she finishes"):
                await _stop(composed)
            killed = sorted(name for name, told in (await composed.told()).items() if told["ExitCode"] == KILLED)
            expect(not killed, f"did not end by itself: {', '.join(killed)}")
            with report.step("docker compose up --wait, with what the volumes kept"):
                await composed("up", "--wait", "--wait-timeout", f"{WELL_S:g}")
            report.say(
                await probe(f"http://{FRONT}", f"http://{FRONT}", "again", "你是谁？", token=None, within_s=SPEAKS_S)
            )
        except BaseException:
            (folder / "compose.log").write_text(await composed("logs", "--no-color", "--timestamps"), encoding="utf-8")
            report.say(f"what the containers said is in {folder / 'compose.log'}")
            raise
        finally:
            await composed("down", "--volumes", "--timeout", "1")


class Composed:
    """The containers of compose.yaml. Everything raises CannotBuild, with what was complained of."""

    def __init__(self, program: Path, environment: Mapping[str, str]) -> None:
        self._program = program
        self._environment = dict(environment)

    async def __call__(self, *command: str) -> str:
        """`docker compose …`. Returns what it prints."""
        return await asyncio.to_thread(
            run, self._program, "--ansi=never", "-f", COMPOSE, *command, environment=self._environment
        )

    async def told(self) -> dict[str, dict[str, Any]]:
        """What Docker knows of each container: name → its state."""
        ids = (await self("ps", "--all", "--quiet")).split()
        told = json.loads(await asyncio.to_thread(run, "docker", "inspect", *ids, environment=self._environment))
        return {each["Config"]["Labels"]["com.docker.compose.service"]: each["State"] for each in told}

    async def address(self) -> str:
        """One of this machine's that is not the loopback's: its own in their network."""
        form = "--format={{(index .IPAM.Config 0).Gateway}}"
        told = await asyncio.to_thread(
            run, "docker", "network", "inspect", NETWORK, form, environment=self._environment
        )
        return told.strip()

    async def thanks(self) -> Counter[str]:
        """How often each gift was thanked, as somebody in their network reads it: event id → times."""
        told = await asyncio.to_thread(
            run,
            *("docker", "run", "--rm", f"--network={NETWORK}", f"--volume={ROOT}:/checkout:ro"),
            *("--env=PYTHONPATH=/checkout:/opt/lydia/packages", "--entrypoint=python3", whole(OURS[0]), "-c", THANKS),
            environment=self._environment,
        )
        return Counter(json.loads(told.splitlines()[-1]))


def stand_ins(text: str) -> dict[str, str]:
    """Of a compose file, the images that come from a registry: name → the stage of compose.Dockerfile in its place."""
    named = {part["image"] for part in yaml.safe_load(text)["services"].values()}
    return {each: each.rpartition("/")[2].partition(":")[0] for each in named if not each.startswith(OURS)}


async def _speaks(composed: Composed, token: str, report: Report) -> None:
    """She answers; only this machine, and whoever has the token, gets in; and what fails comes back."""
    report.say(await probe(f"http://{FRONT}", f"http://{FRONT}", "lydia", "你是谁？", token=None, within_s=SPEAKS_S))
    await _locked(composed, token, report)
    await _watched(report)
    people = People(FRONT, random.Random(SEED))
    async with watching(FRONT) as watcher, giving(people, composed.thanks, report):
        for name in VICTIMS:
            people.label = f"{name} killed"
            await _fails(composed, name, partial(_kill, composed, name), people.label, watcher, report)
        for name in ANEW:
            people.label = f"{name} made anew"
            anew = partial(composed, "up", "--detach", "--no-deps", "--force-recreate", name)
            await _fails(composed, name, anew, people.label, watcher, report)


async def _stop(composed: Composed) -> None:
    """Raises NotProven where whoever listens does not hear her sentence to its end."""
    stopping: asyncio.Task[str] | None = None
    try:
        async with renderer.watching(FRONT, "stopped") as heard, asyncio.timeout(SPEAKS_S):
            async with httpx.AsyncClient(base_url=f"http://{FRONT}", trust_env=False) as client:
                body = {"viewer": {"id": "u1", "name": "小星"}, "text": "讲个笑话"}
                (await client.post("/rooms/stopped/messages", json=body)).raise_for_status()
            while not heard.speaking:
                await heard.wait(0.5)
            stopping = asyncio.create_task(composed("stop"), name="stop")
            while heard.speaking:
                await heard.wait(0.5)
    except* ConnectionClosed:
        pass
    expect(stopping is not None, "she did not begin to speak")
    assert stopping is not None
    await stopping
    expect(not heard.speaking, "her sentence was cut")
    expect(heard.gaps == 0, f"her last sentence had {heard.gaps} holes")


async def _locked(composed: Composed, token: str, report: Report) -> None:
    """Raises NotProven where somebody gets in who should not, or cannot who should."""
    async with httpx.AsyncClient(base_url=f"http://{FRONT}", trust_env=False, timeout=10) as client:
        for path, with_token, wanted in (
            ("/rooms/lydia", None, 200),
            ("/console", None, 200),
            ("/rooms", None, 401),
            ("/rooms", "another", 401),
            ("/rooms", token, 200),
        ):
            headers = {} if with_token is None else {"authorization": f"Bearer {with_token}"}
            got = (await client.get(path, headers=headers)).status_code
            expect(got == wanted, f"{path} answers {got} instead of {wanted}")
    address = await composed.address()
    expect(address, "this machine has no other address by which to try")
    for place in (FRONT, PROMETHEUS):
        port = int(place.rpartition(":")[2])
        expect(await asyncio.to_thread(_reached, "127.0.0.1", port), f"{place} cannot be reached")
        expect(not await asyncio.to_thread(_reached, address, port), f"{address}:{port} can be reached from elsewhere")
    report.say(f"pages open, console locked; nothing can be reached at {address}, this machine's other address")


def _reached(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=2).close()
    except OSError:
        return False
    return True


async def _watched(report: Report) -> None:
    """Prometheus reads every service. Raises NotProven."""
    until = time.monotonic() + SPEAKS_S
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        while True:
            told = (await client.get(f"http://{PROMETHEUS}/api/v1/targets")).raise_for_status().json()
            health = {each["labels"]["instance"]: each["health"] for each in told["data"]["activeTargets"]}
            if health and set(health.values()) == {"up"}:
                report.say(f"Prometheus reads {', '.join(sorted(health))}")
                return
            expect(time.monotonic() < until, f"Prometheus does not read everything: {health}")
            await asyncio.sleep(1)


async def _fails(
    composed: Composed, name: str, fail: Callable[[], Any], what: str, watcher: Watcher, report: Report
) -> None:
    """Lets a part fail while she speaks; it has to come back, well, and she has to speak again. Raises NotProven."""
    expect(await watcher.speaks(time.perf_counter(), SPEAKS_S), f"she does not speak before: {what}")
    pid = (await composed.told())[name]["Pid"]
    begun = time.perf_counter()
    await fail()
    until = time.monotonic() + WELL_S
    while True:
        state = (await composed.told())[name]
        if state["Pid"] not in (0, pid) and state["Health"]["Status"] == "healthy":
            break
        expect(time.monotonic() < until, f"{what}, and not well after {WELL_S:g} s: {state['Status']}")
        await asyncio.sleep(0.5)
    back = time.perf_counter()
    spoke = await watcher.speaks(back, SPEAKS_S)
    expect(spoke, f"she does not speak after: {what}")
    silence = watcher.longest_silence_s(begun, spoke or back)
    report.say(f"{what} in mid-sentence: well again after {back - begun:.1f} s, {silence:.1f} s without voice")


async def _kill(composed: Composed, name: str) -> None:
    """`kill -9` of a container's first process, and so of the others in it."""
    os.kill((await composed.told())[name]["Pid"], signal.SIGKILL)


def _images(folder: Path, report: Report, there: dict[str, str]) -> None:
    bases(BASES, folder, report, there)
    for name in OURS:
        built(name, report, there)
    bases(PACKAGES, folder, report, there)
    for image, target in stand_ins(COMPOSE.read_text("utf-8")).items():
        with report.step(f"{image}, made here"):
            on = (f"--build-arg=SERVERS={SERVERS}", f"--build-arg=WATCHERS={WATCHERS}", f"--target={target}")
            run("docker", "build", "--network=none", "-f", DOCKERFILE, "-t", image, *on, kafka.BUILD, environment=there)


def whole(name: str) -> str:
    """The whole name of one of Lydia's images, as compose.yaml has it where no version is chosen."""
    found = re.search(rf"image: ({name}:)\$\{{LYDIA_VERSION:-([^}}]+)}}", COMPOSE.read_text("utf-8"))
    assert found is not None
    return "".join(found.groups())
