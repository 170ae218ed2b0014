"""A real Apache Kafka on this machine, without Docker: one broker in KRaft mode, from its artifacts on Maven Central.

`python -m deploy.local.kafka fetch` only fetches it; `write-sums` does so after a change of pom.xml, and notes the new
files' sums.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from deploy.local.process import LocalServer, ServerFailed, accepts, free_port, running
from deploy.local.tls import Tls

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "kafka"
SUMS = HERE / "kafka.sha256"
ADDRESS_VARIABLE = "LYDIA_KAFKA_BOOTSTRAP_SERVERS"
"""Names a Kafka that is used instead of one of our own."""
INSTALL = "Mend: run deploy/java.sh (Debian and Ubuntu: sudo apt-get install -y openjdk-17-jre-headless maven)"
FETCH_TIMEOUT_S = 600.0
JAVA = ("java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto")


class KafkaServer(LocalServer):
    """A broker that listens on loopback and keeps its data in `folder`, also over restarts.

    Ports that are 0 are chosen now and stay. `told_port` is where clients are told to find it, when something stands
    between them. With `users` (name → password) a second listener, `sasl_servers`, asks for
    one of them (SASL PLAIN). `limited` are further ones, who may do only what access lists allow; everybody else may do
    everything. With `tls` a third one, `tls_servers`, speaks TLS with whoever has a certificate of its authority.
    Topics are not made by themselves.
    """

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        told_port: int = 0,
        sasl_port: int = 0,
        users: Mapping[str, str] | None = None,
        limited: Mapping[str, str] | None = None,
        tls: Tls | None = None,
        heap_mb: int = 512,
        start_timeout_s: float = 120.0,
    ) -> None:
        self.port = port or free_port()
        self._told_port = told_port or self.port
        self.sasl_port = sasl_port or free_port()
        self._tls_port = free_port()
        self._controller_port = free_port()
        self._folder = folder.absolute()
        self._users, self._limited = dict(users or {}), dict(limited or {})
        self._tls = tls
        super().__init__(
            "Kafka",
            (
                *(*JAVA, f"-Xmx{heap_mb}m", f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"),
                *("-cp", f"{BUILD / 'libs'}/*", "kafka.Kafka", self._folder / "kraft.properties"),
            ),
            answers=self._answers_metadata,
            log=self._folder / "kafka.log",
            start_timeout_s=start_timeout_s,
            stop_timeout_s=20.0,
        )

    @property
    def servers(self) -> str:
        """Its address, as clients' `bootstrap_servers`."""
        return f"127.0.0.1:{self.port}"

    @property
    def sasl_servers(self) -> str:
        """The address that asks for a name and a password."""
        return f"127.0.0.1:{self.sasl_port}"

    @property
    def tls_servers(self) -> str:
        """The address that speaks TLS."""
        return f"127.0.0.1:{self._tls_port}"

    async def start(self) -> float:
        """Fetches Kafka when it is missing, and starts the broker. See LocalServer."""
        await asyncio.to_thread(fetch)
        self._folder.mkdir(parents=True, exist_ok=True)
        for private in (properties := self._folder / "kraft.properties", own := self._folder / "own.pem"):
            private.touch(mode=0o600)
        if self._tls is not None:
            own.write_bytes(self._tls.key.read_bytes() + self._tls.certificate.read_bytes())
        properties.write_text(self._properties(), encoding="utf-8")
        if not (self._folder / "data" / "meta.properties").exists():
            await self._format(properties)
        return await super().start()

    async def _format(self, properties: Path) -> None:
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        if cluster.startswith("-"):  # would be taken for an option
            cluster = "A" + cluster[1:]
        process = await asyncio.create_subprocess_exec(
            *(*JAVA, "-cp", f"{BUILD / 'libs'}/*", "kafka.tools.StorageTool"),
            *("format", "-t", cluster, "-c", str(properties)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(60):
                output, _ = await process.communicate()
        except TimeoutError:
            process.kill()
            raise ServerFailed(f"Kafka's data folder {self._folder} could not be prepared within 60 s") from None
        if process.returncode != 0:
            raise ServerFailed(f"Kafka's data folder {self._folder} could not be prepared:\n{output.decode()[-2000:]}")

    def _properties(self) -> str:
        listeners = {"PLAINTEXT": self.port}
        protocols = {"CONTROLLER": "PLAINTEXT", "PLAINTEXT": "PLAINTEXT"}
        settings: dict[str, str | int] = {}
        if known := self._users | self._limited:
            listeners["SASL"] = self.sasl_port
            protocols["SASL"] = "SASL_PLAINTEXT"
            users = " ".join(f'user_{name}="{password}"' for name, password in known.items())
            settings = {
                "listener.name.sasl.sasl.enabled.mechanisms": "PLAIN",
                "listener.name.sasl.plain.sasl.jaas.config": (
                    f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
                ),
            }
        if self._tls is not None:
            listeners["TLS"] = self._tls_port
            protocols["TLS"] = "SSL"
            settings |= {
                "listener.name.tls.ssl.keystore.type": "PEM",
                "listener.name.tls.ssl.keystore.location": str(self._folder / "own.pem"),
                "listener.name.tls.ssl.truststore.type": "PEM",
                "listener.name.tls.ssl.truststore.location": str(self._tls.ca.absolute()),
                "listener.name.tls.ssl.client.auth": "required",
            }
        if self._limited:
            settings["authorizer.class.name"] = "org.apache.kafka.metadata.authorizer.StandardAuthorizer"
            settings["super.users"] = ";".join(f"User:{name}" for name in ("ANONYMOUS", *self._users))
        settings |= {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{self._controller_port}",
            "controller.listener.names": "CONTROLLER",
            "listeners": _addresses(listeners | {"CONTROLLER": self._controller_port}),
            "advertised.listeners": _addresses(listeners | {"PLAINTEXT": self._told_port}),
            "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "transaction.state.log.num.partitions": 4,
            "group.initial.rebalance.delay.ms": 0,
            "group.min.session.timeout.ms": 500,
            # So that a broker that was killed may come back at once: the controller waits for its old session's end.
            "broker.session.timeout.ms": 2000,
            "broker.heartbeat.interval.ms": 250,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "log.cleaner.dedupe.buffer.size": 16_777_216,
        }
        return "".join(f"{name}={value}\n" for name, value in settings.items())

    async def _answers_metadata(self) -> bool:
        await accepts(self.port)
        client = AdminClient({"bootstrap.servers": self.servers}, logger=_Silent())

        def brokers() -> int:
            try:
                return len(client.list_topics(timeout=1.0).brokers)
            except KafkaException:
                return 0

        return await asyncio.to_thread(brokers) > 0


class _Silent:
    """A client that asks whether a broker is there has nothing to log."""

    def log(self, *_: object) -> None:
        pass


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://127.0.0.1:{port}" for name, port in ports.items())


@dataclass(frozen=True)
class Broker:
    """A Kafka to use: one of our own, not started yet, or (with no `server`) the one that the environment names."""

    servers: str
    server: KafkaServer | None


def kafka_server(folder: Path) -> Broker:
    """See Broker."""
    given = os.environ.get(ADDRESS_VARIABLE)
    if given:
        return Broker(given, None)
    server = KafkaServer(folder)
    return Broker(server.servers, server)


@asynccontextmanager
async def kafka(folder: Path) -> AsyncIterator[str]:
    """The address of the Kafka that the environment names, or of one that runs while the context lasts."""
    broker = kafka_server(folder)
    if broker.server is None:
        yield broker.servers
        return
    async with running(broker.server):
        yield broker.servers


def fetch(*, write_sums: bool = False) -> Path:
    """Returns the folder with Kafka's jars, every one as deploy/local/kafka.sha256 says; fetches them when needed.

    Raises ServerFailed when Java or Maven is missing, or when what was fetched is not what it should be.
    """
    if shutil.which("java") is None:
        raise ServerFailed(f"Java is missing, which Kafka needs. {INSTALL}")
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes may want it at once
        libs = BUILD / "libs"
        wanted = {} if write_sums else _wanted()
        if libs.is_dir() and not write_sums and _sums(libs) == wanted:
            return libs
        if shutil.which("mvn") is None:
            raise ServerFailed(f"Maven is missing, which fetches Kafka. {INSTALL}")
        print("Fetching Apache Kafka (43 MB)", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
            new = Path(scratch) / "libs"
            _maven(new)
            found = _sums(new)
            if write_sums:
                SUMS.write_text("".join(f"{total}  {name}\n" for name, total in sorted(found.items())))
            elif found != wanted:
                odd = sorted(name for name in found | wanted if found.get(name) != wanted.get(name))
                raise ServerFailed(
                    f"what Maven fetched is not what {SUMS.name} lists: {', '.join(odd)}. Mend: check your Maven "
                    "mirror; after a wanted change of pom.xml run: python -m deploy.local.kafka write-sums"
                )
            shutil.rmtree(libs, ignore_errors=True)
            new.rename(libs)
    return libs


def _maven(target: Path) -> None:
    command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
    try:
        done = subprocess.run(
            [*command, f"-DoutputDirectory={target}"],
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ServerFailed(f"Maven did not fetch Kafka within {FETCH_TIMEOUT_S:g} s. Mend: try again") from None
    if done.returncode != 0:
        raise ServerFailed(f"Maven could not fetch Kafka:\n{(done.stdout + done.stderr)[-2000:]}")


def _wanted() -> dict[str, str]:
    lines = SUMS.read_text(encoding="utf-8").splitlines()
    return {name: total for total, name in (line.split() for line in lines)}


def _sums(libs: Path) -> dict[str, str]:
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in libs.iterdir()}


if __name__ == "__main__":
    try:
        print(fetch(write_sums=sys.argv[1:] == ["write-sums"]))
    except ServerFailed as failure:
        sys.exit(str(failure))
