"""Lydia on a real node: she answers a signed push, while pods are killed, upgraded and rolled back in mid-sentence."""

from __future__ import annotations

import asyncio
import json
import random
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import httpx
import yaml

from deploy.chart.policies import COMPONENT
from deploy.chart.render import ENVIRONMENTS, NAMESPACE, RELEASE, Manifest, Refused
from deploy.release import kuberay, network
from deploy.release.binaries import Programs
from deploy.release.cluster import WAIT, Cluster
from deploy.release.images import SERVERS
from deploy.release.installing import RESTRICTED, is_ready
from deploy.release.node import Node
from deploy.release.steps import Report, expect
from loadtests.faults.room import People, Watcher, watching
from loadtests.kill import thanks
from services import probe
from services.core.bus.kafka import open_kafka
from services.core.bus.redis_streams import RedisBus
from services.core.events import AudienceEvent, Chat, Viewer
from services.core.settings import Kafka
from services.gateway.douyin import signed_headers
from services.gateway.douyin_items import COMMENT
from services.gateway.http import PUSH_PATH
from services.gateway.platform import event_id
from services.gateway.simulator.wire import webhook_item

VALUES = Path(__file__).with_name("values.yaml")
KAFKA = Path(__file__).with_name("kafka.yaml")
BROKER = "10.96.0.92:9092"
"""As kafka.yaml says."""
SERVICES, WITH_MODELS = ("gateway", "audience", "chat", "speech", "motion", "stage"), ("chat", "speech", "motion")
VICTIMS = ("chat", "speech", "motion", "stage", "audience", "ray-worker", "gateway")
"""What is killed, in this order: everything through which a gift goes."""
CHANGED = "settings.audience.quiet_s=3601"
"""A setting that changes nothing that is seen, and every pod with it."""
ON_TRITON = ("triton.enabled=true", "triton.replicas=1", "triton.resources.requests.cpu=200m")
ASKED = re.compile(r'^nv_inference_request_success\{model="([^"]+)".*\} (\d+)', re.MULTILINE)
"""Of Triton's metrics: a model, and how many requests it has answered."""
MODELS = ("chat.persona", "motion.rules", "speech.natural")
"""What she says, how she moves, and her voice."""
SEED = 7
READY_S = 600.0
SPEAKS_S = 120.0
THANKED_S = 300.0
GIVING_S = 30.0
"""How long people give to the development environment's."""
SETTLE_S = 5.0
"""How long one looks afterwards whether a gift is thanked again."""


async def proof(programs: Programs, cluster: Cluster, here: Node, report: Report) -> None:
    """Installs her, with Kafka and Redis as pods, and lets her speak.

    Raises NotProven, Refused, CannotBuild, probe.Failed.
    """
    step, push_secret = report.step, secrets.token_hex(16)
    with step("Kafka as a pod"):
        cluster.apply(*_before(push_secret, _writable(here.folder / "redis")))
        cluster.apply(*yaml.safe_load_all(KAFKA.read_text("utf-8")))
        cluster.kubectl("rollout", "status", "statefulset/kafka", f"--namespace={NAMESPACE}", "--timeout=300s")
    with step("KubeRay's operator"):
        kuberay.install(cluster, programs)
    with step("install, until everything is ready"):
        cluster.install(VALUES, until=())
        _ray_is_ready(cluster)
        cluster.kubectl("wait", "--for=condition=Ready", "pods", "--all", f"--namespace={NAMESPACE}", "--timeout=600s")
    gateway, stage = (_address(cluster, name) for name in ("gateway", "stage"))
    with step("one signed push"):
        pushed = partial(push, gateway, "pushed", push_secret)
        report.say(f"signed push: {await probe.answer(f'http://{stage}', 'pushed', pushed, within_s=SPEAKS_S)}")
    with step("helm test"):
        report.say(_tested(cluster))
    network.proof(cluster, report)
    changes: Mapping[str, Callable[[], object]] = {
        f"upgrade with {CHANGED}": partial(cluster.upgrade, VALUES, sets=[CHANGED]),
        "rollback": partial(cluster.helm, "rollback", RELEASE, "1", *WAIT),
    }
    people = People(gateway, random.Random(SEED), label="pods killed")
    async with (
        open_kafka(Kafka(bootstrap_servers=BROKER)) as bus,
        watching(stage) as watcher,
        giving(people, partial(thanks, bus), report),
    ):
        for name in VICTIMS:
            await _kill(cluster, here, name, watcher, report)
        for people.label, change in changes.items():
            before = await asyncio.to_thread(_ray_cluster, cluster)
            await _change(cluster, people.label, change, SERVICES, watcher, report)
            await _ray_changes(cluster, people.label, before, watcher, report)


async def development(cluster: Cluster, here: Node, report: Report) -> None:
    """The values of a laptop, in pods, and then with Triton. Raises NotProven, Refused."""
    values, sets = ENVIRONMENTS["development"], [f"redis.development.image={SERVERS}"]
    with report.step("install of development's values, until everything is ready"):
        cluster.apply(*_before(secrets.token_hex(16), _writable(here.folder / "redis-of-development")))
        cluster.install(values, sets=sets)
    with report.step("helm test"):
        report.say(_tested(cluster))
    (redis,) = cluster.get("pods", "--selector", f"{COMPONENT}=redis")
    gateway, stage = (_address(cluster, name) for name in ("gateway", "stage"))
    people = People(gateway, random.Random(SEED), label="development")
    async with (
        RedisBus(f"redis://{redis['status']['podIP']}:6379") as bus,
        watching(stage) as watcher,
        giving(people, partial(thanks, bus), report),
    ):
        await asyncio.sleep(GIVING_S)
        people.label = f"upgrade with {ON_TRITON[0]}"
        change = partial(cluster.upgrade, values, sets=[*sets, *ON_TRITON])
        await _change(cluster, people.label, change, WITH_MODELS, watcher, report)
        with report.step("the models are asked of Triton"):
            report.say(await _asked(cluster))


Thanks = Callable[[], Awaitable[Mapping[str, int]]]
"""Tells how often each gift was thanked, by event id."""


@asynccontextmanager
async def giving(people: People, thanked: Thanks, report: Report) -> AsyncIterator[None]:
    """They give while the context lasts; then all that they ever gave must be thanked. Raises NotProven."""
    giving = asyncio.create_task(people.run(), name="people")
    try:
        yield
    finally:
        people.enough.set()
        await giving
    with report.step("every gift that was taken is thanked, and none twice"):
        await _thanked(people, thanked, report)


def _tested(cluster: Cluster) -> str:
    return cluster.helm("test", RELEASE, "--logs", "--timeout", "180s").strip().splitlines()[-1]


def keep(cluster: Cluster, folder: Path) -> None:
    """Writes what is known of each pod, and what it said, into `folder`. Raises Refused."""
    folder.mkdir(parents=True, exist_ok=True)
    for pod in cluster.get("pods"):
        with suppress(Refused):  # gone meanwhile
            (folder / f"{pod['metadata']['name']}.txt").write_text(_known(cluster, pod), encoding="utf-8")


def _known(cluster: Cluster, pod: Manifest) -> str:
    whose = (pod["metadata"]["name"], f"--namespace={NAMESPACE}")
    told = cluster.kubectl("describe", "pod", *whose)
    containers = pod["status"].get("containerStatuses", ())
    ran = containers and all("waiting" not in each["state"] or each["restartCount"] for each in containers)
    said = cluster.kubectl("logs", *whose, "--all-containers", "--tail=2000") if ran else ""
    return f"{told}\n{said}"


async def _thanked(people: People, thanked: Thanks, report: Report) -> None:
    """Waits until every gift is thanked, and tells what became of them. Raises NotProven where not each was, once."""
    until_s = time.perf_counter() + THANKED_S
    times: Mapping[str, int] = {}
    while time.perf_counter() < until_s and not people.accepted.keys() <= times.keys():
        await asyncio.sleep(1)
        times = await thanked()
    await asyncio.sleep(SETTLE_S)
    times = await thanked()
    told = counted(people, times)
    for label, (given, lost, twice) in told.items():
        report.say(f"{label}: {given} gifts given, {lost} lost, {twice} thanked twice")
    expect(not any(lost or twice for _, lost, twice in told.values()), "a gift was lost, or thanked twice")


def counted(people: People, times: Mapping[str, int]) -> dict[str, tuple[int, int, int]]:
    """Of the gifts of each label: how many were given, lost (never taken, or never thanked), and thanked twice or more.

    `times` says how often each was thanked, by event id.
    """
    told = {}
    for label, given in Counter(people.sent.values()).items():
        thanked = [times.get(each, 0) for each, its in people.accepted.items() if its == label]
        told[label] = (given, given - sum(map(bool, thanked)), sum(each > 1 for each in thanked))
    return told


async def _change(
    cluster: Cluster, what: str, change: Callable[[], object], parts: Collection[str], watcher: Watcher, report: Report
) -> None:
    """Changes the release while she speaks, so that the services `parts` are made anew."""
    before = await asyncio.to_thread(_pods, cluster, parts)
    expect(await watcher.speaks(time.perf_counter(), SPEAKS_S), f"she does not speak before the {what}")
    begun = time.perf_counter()
    await asyncio.to_thread(change)
    done = time.perf_counter()
    spoke = await watcher.speaks(done, SPEAKS_S)
    expect(spoke, f"she does not speak after the {what}")
    stayed = before & await asyncio.to_thread(_pods, cluster, parts)
    expect(not stayed, f"the {what} did not replace {', '.join(sorted(stayed))}")
    silence = watcher.longest_silence_s(begun, spoke or done)
    report.say(f"{what} in mid-sentence: ready after {done - begun:.1f} s, {silence:.1f} s without voice")


def _pods(cluster: Cluster, parts: Collection[str]) -> set[str]:
    """The names of their pods that are not about to end."""
    found = cluster.get("pods", "--selector", f"{COMPONENT} in ({','.join(parts)})")
    return {each["metadata"]["name"] for each in found if "deletionTimestamp" not in each["metadata"]}


async def _asked(cluster: Cluster) -> str:
    """How many requests each model has answered on Triton. Raises NotProven where one of MODELS is never asked."""
    (pod,) = await asyncio.to_thread(cluster.get, "pods", "--selector", f"{COMPONENT}=triton")
    until_s = time.perf_counter() + SPEAKS_S
    async with httpx.AsyncClient(trust_env=False) as client:
        while True:
            told = (await client.get(f"http://{pod['status']['podIP']}:8002/metrics")).raise_for_status().text
            asked = {model: int(count) for model, count in ASKED.findall(told)}
            if all(asked.get(model) for model in MODELS):
                return ", ".join(f"{model} {count}" for model, count in asked.items())
            expect(time.perf_counter() < until_s, f"not every model is asked of Triton: {asked}")
            await asyncio.sleep(1)


async def _kill(cluster: Cluster, here: Node, name: str, watcher: Watcher, report: Report) -> None:
    """`kill -9` of a pod's processes while she speaks; then the pod is deleted, as with a node that is gone."""
    found = await asyncio.to_thread(cluster.get, "pods", "--selector", f"{COMPONENT}={name}")
    (pod,) = [each for each in found if "deletionTimestamp" not in each["metadata"] and is_ready(each)]
    spoke = await watcher.speaks(time.perf_counter(), SPEAKS_S)
    expect(spoke, f"she does not speak before {name} is killed")
    begun = time.perf_counter()
    await asyncio.to_thread(here.kill, pod)
    whole = ("delete", "pod", pod["metadata"]["name"], f"--namespace={NAMESPACE}", "--force", "--grace-period=0")
    await asyncio.to_thread(cluster.kubectl, *whole)
    await asyncio.to_thread(_ready, cluster, name)
    back = time.perf_counter()
    spoke = await watcher.speaks(back, SPEAKS_S)
    expect(spoke, f"she does not speak again after {name} was killed")
    silence = watcher.longest_silence_s(begun, spoke or back)
    report.say(f"{name} killed in mid-sentence: ready again after {back - begun:.1f} s, {silence:.1f} s without voice")


def _before(push_secret: str, redis: Path) -> list[Manifest]:
    """Namespace, Secret, the way to the node's DNS, and a volume for Redis in the folder `redis`."""
    tokens = {"operator-token": secrets.token_hex(16), "push-secrets": json.dumps({COMMENT: push_secret})}
    volume = {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": str(redis)}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": RESTRICTED}},
        network.names_from_the_node(),
        _secret("lydia", tokens),
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": redis.name}, "spec": volume},
    ]


def _secret(name: str, held: Mapping[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": held}


def _writable(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0o777)  # no volume of this kind is given to the user that its pod runs as
    return folder


def _ray_is_ready(cluster: Cluster) -> None:
    whose = f"--namespace={NAMESPACE}"
    cluster.kubectl("wait", "--for=condition=Ready", "rayservice", "--all", whose, f"--timeout={READY_S:g}s")


def _ray_cluster(cluster: Cluster) -> str:
    """The Ray cluster that has the rooms."""
    (service,) = cluster.get("rayservices")
    return str(service["status"]["activeServiceStatus"]["rayClusterName"])


async def _ray_changes(cluster: Cluster, what: str, before: str, watcher: Watcher, report: Report) -> None:
    """The rooms move to a second Ray cluster, which KubeRay makes with the new settings. Raises NotProven."""
    begun = time.perf_counter()
    while await asyncio.to_thread(_ray_cluster, cluster) == before:
        expect(time.perf_counter() - begun < READY_S, f"{what}: the rooms stay on {before}")
        await asyncio.sleep(0.5)
    moved = time.perf_counter()
    spoke = await watcher.speaks(moved, SPEAKS_S)
    expect(spoke, f"she does not speak after her rooms moved to another Ray cluster: {what}")
    silence = watcher.longest_silence_s(begun, spoke or moved)
    report.say(
        f"{what}: her rooms are on another Ray cluster {moved - begun:.1f} s later, {silence:.1f} s without voice"
    )


def _ready(cluster: Cluster, name: str) -> None:
    """Waits until one pod of a part is there, and ready. Raises NotProven."""
    until = time.monotonic() + READY_S
    while True:
        pods = cluster.get("pods", "--selector", f"{COMPONENT}={name}")
        if len(pods) == 1 and is_ready(pods[0]):
            return
        expect(time.monotonic() < until, f"{name} is not ready after {READY_S:g} s")
        time.sleep(0.5)


def _address(cluster: Cluster, name: str) -> str:
    """HOST:PORT of a service, as the cluster's own clients call it."""
    whole = f"service/{RELEASE}-{name}"
    found = cluster.kubectl("get", whole, f"--namespace={NAMESPACE}", "--output=jsonpath={.spec.clusterIP}")
    return f"{found}:8080"


async def push(gateway: str, room_id: str, secret: str) -> str:
    """Sends a signed push with one message, as the platform does, to `gateway` (HOST:PORT). Returns the event's id.

    Raises httpx.HTTPError where it is not taken.
    """
    stamp = int(time.time() * 1000)
    event = AudienceEvent(viewer=Viewer(id="viewer", name="小星"), chat=Chat(text="你是谁？"))
    message_id = f"push-{stamp}"
    message_type, item = webhook_item(event, message_id, stamp)
    body = json.dumps([item], ensure_ascii=False).encode()
    headers = signed_headers(
        body, secret, room_id=room_id, message_type=message_type, nonce=secrets.token_hex(8), stamp_ms=stamp
    )
    async with httpx.AsyncClient(base_url=f"http://{gateway}", trust_env=False) as client:
        answer = await client.post(PUSH_PATH, content=body, headers=headers)
    answer.raise_for_status()
    return event_id("douyin", room_id, message_id)
