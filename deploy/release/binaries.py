"""The programs of a Kubernetes cluster, and Docker's compose, built from their published Go modules: no package brings
them.

That takes from ten minutes to half an hour on two processors, once: what is built stays.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from services.places import ROOT

KUBERNETES = "1.36.3"
GATEWAY_API = "1.4.0"
COREDNS = "1.14.4"
PLUGINS = ("bind", "errors", "health", "kubernetes")
"""What CoreDNS is asked for here. All that it could do beside that need not be built."""
BIN = ROOT / "build" / "release" / "bin"
COMPOSE = "2.40.3"
KUBE_ROUTER = "2.1.0"
KUBERAY, KUBERAY_MODULE = "1.6.2", "github.com/ray-project/kuberay/ray-operator"
GO = (1, 26)
CONTROL_PLANE = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
"""In the order in which they are built: each makes use of what was compiled for the one before."""
STAGED = re.compile(r"\./staging/src/(?P<module>.+)")

Say = Callable[[str], None]


class CannotBuild(Exception):
    """Something is missing. The text says what, and how to mend it."""


@dataclass(frozen=True)
class Programs:
    """Where each of them lies. `say` hears of what takes time. Everything raises CannotBuild."""

    say: Say
    folder: Path = BIN

    def kubernetes(self, names: Sequence[str]) -> list[Path]:
        """Programs of Kubernetes' own."""
        into = self.folder / f"kubernetes-{KUBERNETES}"
        if missing := [name for name in names if not (into / name).exists()]:
            self._build_kubernetes(missing, into)
        return [into / name for name in names]

    @cached_property
    def etcd(self) -> Path:
        """Debian's, unpacked and not installed."""
        folder = self.folder / "etcd"
        if not (program := folder / "usr" / "bin" / "etcd").exists():
            run("apt-get", "-qq", "update")
            with tempfile.TemporaryDirectory() as scratch:
                # Otherwise apt complains that its own user cannot write there.
                run("apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "etcd-server", where=Path(scratch))
                (package,) = Path(scratch).glob("*.deb")
                run("dpkg-deb", "-x", package, _made(folder))
        return program

    @cached_property
    def coredns(self) -> Path:
        """The cluster's DNS."""
        program = self.folder / f"coredns-{COREDNS}" / "coredns"
        if not program.exists():
            go()
            with self._source("github.com/coredns/coredns", COREDNS) as source:
                wanted = "".join(f'import _ "github.com/coredns/coredns/plugin/{name}"\n' for name in PLUGINS)
                (source / "core" / "plugin" / "zplugin.go").write_text(f"package plugin\n\n{wanted}", encoding="utf-8")
                command = ["build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w", "-o", str(program), "."]
                self._timed("coredns", partial(_go, *command, where=source))
        return program

    @cached_property
    def kube_router(self) -> Path:
        """What enforces network policies."""
        return self._built(
            "kube-router", KUBE_ROUTER, "github.com/cloudnativelabs/kube-router/v2", package="./cmd/kube-router"
        )

    @cached_property
    def kuberay(self) -> Path:
        """The operator of RayServices."""
        return self._built("manager", KUBERAY, KUBERAY_MODULE, package=".")

    @cached_property
    def kuberay_role(self) -> Path:
        """What that operator may do: a manifest of its own."""
        return module(KUBERAY_MODULE, KUBERAY) / "config" / "rbac" / "role.yaml"

    @cached_property
    def compose(self) -> Path:
        """Docker's command that reads compose files."""
        told = f"-X github.com/docker/compose/v2/internal.Version=v{COMPOSE}"
        return self._built("docker-compose", COMPOSE, "github.com/docker/compose/v2", package="./cmd", flags=told)

    @cached_property
    def gateway_api(self) -> Path:
        """The folder with the Gateway API's own definitions."""
        return module("sigs.k8s.io/gateway-api", GATEWAY_API) / "config" / "crd" / "standard"

    def _built(self, name: str, version: str, path: str, *, package: str, flags: str = "") -> Path:
        """A program of the module `path`, in a folder of its own."""
        program = self.folder / f"{name}-{version}" / name
        if not program.exists():
            go()
            with self._source(path, version) as source:
                command = ["build", "-buildvcs=false", "-trimpath", "-ldflags", f"-s -w {flags}", "-o", str(program)]
                self._timed(name, partial(_go, *command, package, where=source))
        return program

    def _build_kubernetes(self, names: Sequence[str], into: Path) -> None:
        go()
        with self._source("k8s.io/kubernetes", KUBERNETES) as source:
            # Its staging modules are published apart; in its own repository they are folders.
            known = json.loads(_go("mod", "edit", "-json", where=source))
            published = KUBERNETES.replace("1", "0", 1)
            _go("mod", "edit", *(f"-replace={each}={each}@v{published}" for each in staging(known)), where=source)
            # Clients read the version, and do not understand a server without one.
            major, minor, _ = KUBERNETES.split(".")
            told = {"gitVersion": f"v{KUBERNETES}", "gitMajor": major, "gitMinor": minor}
            flags = " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in told.items())
            for name in names:
                # The module's own sums lack the published staging modules; the checksum database knows them.
                command = ["build", "-mod=mod", "-buildvcs=false", "-trimpath", "-ldflags", f"-s -w {flags}"]
                self._timed(name, partial(_go, *command, "-o", str(into / name), f"./cmd/{name}", where=source))

    @contextmanager
    def _source(self, path: str, version: str) -> Iterator[Path]:
        """A module's files, in a folder that may be written to and is gone afterwards."""
        with tempfile.TemporaryDirectory(dir=_made(self.folder)) as scratch:
            source = Path(scratch) / "source"
            shutil.copytree(module(path, version), source)
            for each in (source, *source.rglob("*")):
                each.chmod(0o755 if each.is_dir() else 0o644)  # modules are read-only
            yield source

    def _timed(self, name: str, build: Callable[[], object]) -> None:
        self.say(f"building {name}, once")
        begun = time.monotonic()
        build()
        self.say(f"built {name} ({time.monotonic() - begun:.0f} s)")


def staging(known: Mapping[str, object]) -> list[str]:
    """The modules that Kubernetes keeps in folders of its own, from `go mod edit -json`."""
    replaced = known.get("Replace") or []
    assert isinstance(replaced, list)
    return [found["module"] for each in replaced if (found := STAGED.fullmatch(each["New"]["Path"]))]


def go() -> None:
    """Raises CannotBuild where there is no Go, or one that is too old."""
    mend = f"Mend: install Go {GO[0]}.{GO[1]} or newer (Debian 12's own is older; go.dev/dl)"
    if shutil.which("go") is None:
        raise CannotBuild(f"Go is missing, which builds Kubernetes. {mend}")
    told = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
    found = re.match(r"go(\d+)\.(\d+)", told)
    if found and (int(found[1]), int(found[2])) < GO:
        raise CannotBuild(f"Go is {told.strip()}. {mend}")


def module(path: str, version: str) -> Path:
    """The folder of a Go module, which is fetched when it is not there. Raises CannotBuild."""
    with tempfile.TemporaryDirectory() as scratch:  # outside of any module
        return Path(json.loads(_go("mod", "download", "-json", f"{path}@v{version}", where=Path(scratch)))["Dir"])


def _go(*arguments: str, where: Path) -> str:
    # Without C everywhere, so that each makes use of what was compiled for another.
    return run("go", *arguments, where=where, environment={"GOWORK": "off", "CGO_ENABLED": "0"})


def run(*command: str | Path, where: Path = ROOT, environment: dict[str, str] | None = None) -> str:
    """What a program prints. Raises CannotBuild, with the end of what it complained of."""
    try:
        done = subprocess.run(
            command, cwd=where, env=os.environ | (environment or {}), capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        raise CannotBuild(f"{command[0]} is missing") from None
    if done.returncode != 0:
        raise CannotBuild(f"{' '.join(map(str, command[:4]))} … failed:\n{(done.stderr + done.stdout)[-3000:]}")
    return done.stdout


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder.absolute()
