"""Kubernetes' control plane on this machine: etcd, the API server, its controllers and its scheduler."""

from __future__ import annotations

import asyncio
import shutil
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from deploy.local.process import Answers, LocalServer, free_port, running
from deploy.release.binaries import CONTROL_PLANE, Programs
from deploy.release.certificates import Authority
from deploy.release.cluster import Cluster

SERVICES = "10.96.0.0/16"
"""Addresses that services are given."""
READY_S = 120.0


@dataclass
class ControlPlane:
    """A running one, and who vouches for everybody in it."""

    cluster: Cluster
    authority: Authority
    address: str
    folder: Path
    servers: list[LocalServer] = field(default_factory=list)

    async def start(self, name: str, command: Sequence[str | Path], health: str | Path, stack: AsyncExitStack) -> None:
        """One program more, which ends with `stack`. `health` is where it answers 200 when it is ready, or its socket.

        Raises ServerFailed.
        """
        log = self.folder / f"{name}.log"
        server = LocalServer(name, command, answers=healthy(health), log=log, start_timeout_s=READY_S)
        await stack.enter_async_context(running(server))
        self.servers.append(server)

    def memory_mb(self) -> dict[str, float]:
        """The most that each program has held until now."""
        return {server.name: most_mb(server.pid) for server in self.servers if server.running}


@asynccontextmanager
async def control_plane(programs: Programs, folder: Path) -> AsyncIterator[ControlPlane]:
    """Starts it, without nodes. Data and logs lie in `folder`, which is emptied before.

    Raises CannotBuild, ServerFailed, Refused.
    """
    api, manager, scheduler = programs.kubernetes(CONTROL_PLANE)
    shutil.rmtree(folder, ignore_errors=True)
    authority, port = Authority(folder / "certificates"), free_port()
    address = f"https://127.0.0.1:{port}"
    cluster = Cluster(authority.kubeconfig(address, "admin", group="system:masters"))
    private, public = authority.account_keys()
    caller, callers_key = authority.issue("kubelet-client", group="system:masters")
    certificate, key = authority.issue("kube-apiserver", addresses=("127.0.0.1", "10.96.0.1", "kubernetes"))
    async with AsyncExitStack() as stack:
        made = ControlPlane(cluster, authority, address, folder)
        database, peers = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        # fmt: off
        await made.start("etcd", [
            programs.etcd, f"--data-dir={folder / 'etcd'}", f"--initial-cluster=default={peers}",
            f"--listen-client-urls={database}", f"--advertise-client-urls={database}",
            f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
        ], f"{database}/health", stack)
        await made.start("kube-apiserver", [
            api, f"--etcd-servers={database}", "--bind-address=127.0.0.1", f"--secure-port={port}",
            # Nobody here calls it by its service, for which 127.0.0.1 would be no address.
            "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none",
            f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}", f"--client-ca-file={authority.ca}",
            f"--kubelet-client-certificate={caller}", f"--kubelet-client-key={callers_key}",
            "--kubelet-preferred-address-types=InternalIP",  # nobody knows the node by name
            "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
            "--service-account-issuer=https://kubernetes.default.svc", f"--service-account-key-file={public}",
            f"--service-account-signing-key-file={private}", f"--service-cluster-ip-range={SERVICES}",
            # etcd 3.4, which Debian 12 has, cannot do what these watches ask of it: pods would be ready a minute late.
            "--feature-gates=WatchList=false",
        ], f"{address}/readyz", stack)
        # Declared nodes never write that they live.
        patient = "--node-monitor-grace-period=24h"
        signing = [f"--root-ca-file={authority.ca}", f"--service-account-private-key-file={private}"]
        for name, program, more in (
            ("kube-controller-manager", manager, [*signing, patient, "--use-service-account-credentials"]),
            ("kube-scheduler", scheduler, []),
        ):
            account, own = authority.kubeconfig(address, f"system:{name}"), free_port()
            await made.start(name, [
                program, "--bind-address=127.0.0.1", f"--secure-port={own}", "--leader-elect=false", *more,
                f"--kubeconfig={account}", f"--authentication-kubeconfig={account}",
                f"--authorization-kubeconfig={account}",
            ], f"https://127.0.0.1:{own}/healthz", stack)
        # fmt: on
        cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=60s")
        yield made


def healthy(where: str | Path) -> Answers:
    """Asks whether an address answers 200, or a socket at all."""
    # Only whether it is there is asked: the controllers' and the scheduler's certificates are made by themselves.
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE

    async def answers() -> bool:
        if isinstance(where, Path):
            _, writer = await asyncio.open_unix_connection(where)
            writer.close()
            return True
        async with httpx.AsyncClient(trust_env=False, verify=unverified) as client:
            try:
                return (await client.get(where)).status_code == httpx.codes.OK
            except httpx.HTTPError:
                return False

    return answers


def most_mb(pid: int) -> float:
    """The most memory that a process has held, MB; 0 when it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    return 0.0
