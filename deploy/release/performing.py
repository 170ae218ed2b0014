"""Lydia on a real node: a signed push is answered with voice and frames, and pods are killed in mid-sentence."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import httpx
import yaml

from deploy.chart.policies import COMPONENT
from deploy.chart.render import NAMESPACE, RELEASE, Manifest, render
from deploy.release.cluster import Cluster
from deploy.release.installing import RESTRICTED, is_ready
from deploy.release.node import Node
from deploy.release.ray import CLUSTER, TOKEN_KEY, as_pods
from deploy.release.steps import Report, expect
from loadtests.faults.room import People, Watcher, watching
from loadtests.kill import thanks
from services import probe
from services.core.bus.kafka import open_kafka
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
VICTIMS = ("chat", "speech", "motion", "stage", "audience", "ray-worker", "gateway")
"""What is killed, in this order: everything through which a gift goes."""
SEED = 7
READY_S = 600.0
SPEAKS_S = 120.0
THANKED_S = 300.0
SETTLE_S = 5.0
"""How long one looks afterwards whether a gift is thanked again."""
SERVE = """
import json, os, urllib.request, yaml
told = json.dumps(yaml.safe_load(%r)).encode()
call = urllib.request.Request("http://127.0.0.1:8265/api/serve/applications/", told, method="PUT")
call.add_header("content-type", "application/json")
call.add_header("authorization", "Bearer " + os.environ["RAY_AUTH_TOKEN"])
print(urllib.request.urlopen(call, timeout=60).status)
"""
"""What KubeRay does with an application, on the head."""


async def proof(cluster: Cluster, here: Node, report: Report) -> None:
    """Installs her, with Kafka and Redis as pods, and lets her speak. Raises NotProven, Refused, probe.Failed."""
    step, push_secret, ray = report.step, secrets.token_hex(16), _ray()
    with step("Kafka as a pod"):
        cluster.apply(*_before(ray["metadata"]["name"], push_secret, _writable(here.folder / "redis")))
        cluster.apply(*yaml.safe_load_all(KAFKA.read_text("utf-8")))
        cluster.kubectl("rollout", "status", "statefulset/kafka", f"--namespace={NAMESPACE}", "--timeout=300s")
    with step("install, with plain pods for Ray, until everything is ready"):
        cluster.install(VALUES, until=())
        cluster.apply(*as_pods(ray))
        _serve(cluster, ray)
        cluster.kubectl("wait", "--for=condition=Ready", "pods", "--all", f"--namespace={NAMESPACE}", "--timeout=600s")
    gateway, stage = (_address(cluster, name) for name in ("gateway", "stage"))
    with step("one signed push"):
        pushed = partial(push, gateway, "pushed", push_secret)
        report.say(f"signed push: {await probe.answer(f'http://{stage}', 'pushed', pushed, within_s=SPEAKS_S)}")
    with step("helm test"):
        report.say(cluster.helm("test", RELEASE, "--logs", "--timeout", "180s").strip().splitlines()[-1])
    await _killed(cluster, here, ray, gateway, stage, report)


def keep(cluster: Cluster, folder: Path) -> None:
    """Writes what is known of each pod, and what it said, into `folder`. Raises Refused."""
    folder.mkdir(parents=True, exist_ok=True)
    for pod in cluster.get("pods"):
        whose = (pod["metadata"]["name"], f"--namespace={NAMESPACE}")
        told = cluster.kubectl("describe", "pod", *whose)
        containers = pod["status"].get("containerStatuses", ())
        ran = containers and all("waiting" not in each["state"] for each in containers)
        said = cluster.kubectl("logs", *whose, "--all-containers", "--tail=2000") if ran else ""
        (folder / f"{whose[0]}.txt").write_text(f"{told}\n{said}", encoding="utf-8")


async def _killed(cluster: Cluster, here: Node, ray: Manifest, gateway: str, stage: str, report: Report) -> None:
    people = People(gateway, random.Random(SEED))
    async with open_kafka(Kafka(bootstrap_servers=BROKER)) as bus, watching(stage) as watcher:
        giving = asyncio.create_task(people.run(), name="people")
        try:
            for name in VICTIMS:
                await _kill(cluster, here, ray, name, watcher, report)
        finally:
            people.enough.set()
            await giving
        with report.step("every gift that was taken is thanked, and none twice"):
            until_s, times = time.perf_counter() + THANKED_S, Counter[str]()
            while time.perf_counter() < until_s and not people.accepted.keys() <= times.keys():
                await asyncio.sleep(1)
                times = await thanks(bus)
            await asyncio.sleep(SETTLE_S)
            times = await thanks(bus)
            lost = len(people.sent) - len(people.accepted) + sum(not times[each] for each in people.accepted)
            twice = sum(times[each] > 1 for each in people.accepted)
            report.say(f"{len(people.sent)} gifts given, {lost} lost, {twice} thanked twice")
            expect(not lost and not twice, "a gift was lost, or thanked twice")


async def _kill(cluster: Cluster, here: Node, ray: Manifest, name: str, watcher: Watcher, report: Report) -> None:
    """`kill -9` of a pod's processes while she speaks; then the pod is deleted, as with a node that is gone."""
    found = await asyncio.to_thread(cluster.get, "pods", "--selector", f"{COMPONENT}={name}")
    (pod,) = [each for each in found if "deletionTimestamp" not in each["metadata"] and is_ready(each)]
    spoke = await watcher.speaks(time.perf_counter(), SPEAKS_S)
    expect(spoke, f"she does not speak before {name} is killed")
    begun = time.perf_counter()
    await asyncio.to_thread(here.kill, pod)
    whole = ("delete", "pod", pod["metadata"]["name"], f"--namespace={NAMESPACE}", "--force", "--grace-period=0")
    await asyncio.to_thread(cluster.kubectl, *whole)
    if CLUSTER in pod["metadata"]["labels"]:  # a plain pod, which KubeRay would make anew
        (again,) = [each for each in as_pods(ray) if each["metadata"]["name"] == pod["metadata"]["name"]]
        await asyncio.to_thread(cluster.apply, again)
    await asyncio.to_thread(_ready, cluster, name)
    back = time.perf_counter()
    spoke = await watcher.speaks(back, SPEAKS_S)
    expect(spoke, f"she does not speak again after {name} was killed")
    silence = watcher.longest_silence_s(begun, spoke or back)
    report.say(f"{name} killed in mid-sentence: ready again after {back - begun:.1f} s, {silence:.1f} s without voice")


def _before(ray: str, push_secret: str, redis: Path) -> list[Manifest]:
    """Namespace, Secrets (one is of the RayService `ray`), and a volume for Redis in the folder `redis`."""
    tokens = {"operator-token": secrets.token_hex(16), "push-secrets": json.dumps({COMMENT: push_secret})}
    volume = {"capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": str(redis)}}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": RESTRICTED}},
        _secret("lydia", tokens),
        _secret(ray, {TOKEN_KEY: secrets.token_hex(16)}),
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "redis"}, "spec": volume},
    ]


def _secret(name: str, held: Mapping[str, str]) -> Manifest:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": held}


def _writable(folder: Path) -> Path:
    folder.mkdir()
    folder.chmod(0o777)  # no volume of this kind is given to the user that its pod runs as
    return folder


def _ray() -> Manifest:
    (found,) = [each for each in render(VALUES) if each["kind"] == "RayService"]
    return found


def _serve(cluster: Cluster, ray: Manifest) -> None:
    """Hands the application to Ray's head, as KubeRay does."""
    head, whose = f"{ray['metadata']['name']}-head", f"--namespace={NAMESPACE}"
    cluster.kubectl("wait", "--for=condition=Ready", f"pod/{head}", whose, "--timeout=290s")
    cluster.kubectl("exec", head, whose, "--", "python", "-c", SERVE % ray["spec"]["serveConfigV2"])


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
