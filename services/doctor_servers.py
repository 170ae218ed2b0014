"""The doctor's look at a cluster's servers: whether each that the settings name is there, speaks its protocol, and lets
Lydia in.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from urllib.parse import urlsplit

import httpx
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from services.core import topics
from services.core.bus.port import BusUnavailable
from services.core.redis_client import connect
from services.core.settings import Kafka, Redis, Settings, Triton

PROBE_S = 5.0
"""How long one question to a server may take."""
LOGIN_S = 12.0
"""… and a whole client of Kafka, until it gives up."""
API_VERSIONS = (18).to_bytes(2, "big") + bytes(2) + (7).to_bytes(4, "big") + b"\xff\xff"
"""The question that every broker answers anybody: what it understands, in version 0, number 7, from nobody.
https://kafka.apache.org/protocol#The_Messages_ApiVersions
"""
MODELS = ("chat.persona", "speech.espeak", "motion.rules")
"""What Lydia's repository for Triton has in any case."""


class Amiss(Exception):
    """What is wrong with a server, and how to mend it."""

    def __init__(self, seen: str, mend: str) -> None:
        super().__init__(seen)
        self.mend = mend


def looks(settings: Settings) -> dict[str, Callable[[], Awaitable[str]]]:
    """What to ask of each server that the settings name: tells what is seen, or raises Amiss."""
    found: dict[str, Callable[[], Awaitable[str]]] = {}
    if settings.redis.url:
        found["Redis"] = partial(_redis, settings.redis)
    if settings.kafka.bootstrap_servers:
        found["Kafka"] = partial(_kafka, settings.kafka)
    for address in settings.triton.servers:
        found[f"Triton {address}"] = partial(_triton, settings.triton.model_copy(update={"servers": (address,)}))
    if settings.ray.url:
        found["Ray Serve"] = partial(_ray, settings.ray.url)
    return found


async def _redis(settings: Redis) -> str:
    where, name = settings.url, "LYDIA_REDIS"
    parts = urlsplit(where)
    if parts.scheme != "unix":
        await _reach(parts.hostname or "", parts.port or 6379, f"{name}__URL")
    client = connect(settings.login, connections=1)
    try:
        async with asyncio.timeout(PROBE_S):
            await client.get("room:doctor")
    except AuthenticationError:
        mend = f"set {name}__PASSWORD, and {name}__USERNAME where it has users"
        raise Amiss(
            f"{where} asks for a login, and {'another' if settings.password else 'none'} is set", mend
        ) from None
    except NoPermissionError:
        mend = "give it all keys that begin with room:, audience, ready:, douyin and bus:"
        raise Amiss(f"{where}: the user {settings.username} may not read Lydia's keys", mend) from None
    except (RedisError, OSError, TimeoutError, ValueError):
        tls = (
            f"set {name}__CA to who vouches for it or write redis://" if parts.scheme == "rediss" else "write rediss://"
        )
        seen = f"{where}: somebody listens, who does not speak Redis' protocol" + (" over TLS" if settings.ca else "")
        raise Amiss(seen, f"name a Redis in {name}__URL, or {tls}") from None
    finally:
        await client.aclose()
    return f"{where} answers"


async def _kafka(settings: Kafka) -> str:
    name = "LYDIA_KAFKA"
    for address in settings.bootstrap_servers.split(","):
        host, _, port = address.rpartition(":")
        await _reach(host, int(port), f"{name}__BOOTSTRAP_SERVERS")
        context = _kafka_tls(settings) if settings.security_protocol.endswith("SSL") else None
        if not await _broker_answers(host, int(port), context):
            wanted = "PLAINTEXT or SASL_PLAINTEXT" if context else "SSL or SASL_SSL"
            files = f", mend {name}__CA" if context else ""
            raise Amiss(
                f"{address}: somebody listens, who does not speak Kafka's protocol as {settings.security_protocol}",
                f"name a broker in {name}__BOOTSTRAP_SERVERS{files}, or set {name}__SECURITY_PROTOCOL to {wanted}",
            )
    from services.core.bus.kafka import open_kafka  # only a cluster has a client of Kafka

    try:
        async with asyncio.timeout(LOGIN_S), open_kafka(settings) as bus:
            await bus.lag(topics.AUDIENCE, "audience")
    except (BusUnavailable, TimeoutError) as error:
        if settings.security_protocol.startswith("SASL"):
            mend = f"mend {name}__USERNAME, {name}__PASSWORD and {name}__SASL_MECHANISM"
        else:
            mend = f"where it asks for a login, set {name}__SECURITY_PROTOCOL, {name}__USERNAME and {name}__PASSWORD"
        told = str(error) or f"no answer within {LOGIN_S:g} s"
        raise Amiss(f"{settings.bootstrap_servers}: a broker, which does not let Lydia in ({told})", mend) from None
    return f"{settings.bootstrap_servers} answers"


def _kafka_tls(settings: Kafka) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=settings.ca)
        if settings.certificate is not None:
            context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        raise Amiss(
            f"a certificate cannot be read ({error})", "mend LYDIA_KAFKA__CA, __CERTIFICATE and __KEY"
        ) from None
    return context


async def _broker_answers(host: str, port: int, tls: ssl.SSLContext | None) -> bool:
    try:
        async with asyncio.timeout(PROBE_S):
            reader, writer = await asyncio.open_connection(host, port, ssl=tls)
            try:
                writer.write(len(API_VERSIONS).to_bytes(4, "big") + API_VERSIONS)
                return (await reader.readexactly(8))[4:] == (7).to_bytes(4, "big")
            finally:
                writer.close()
    except (OSError, TimeoutError, asyncio.IncompleteReadError):
        return False


async def _triton(settings: Triton) -> str:
    (address,) = settings.servers
    try:
        from services.core.inference.triton import TritonInference
    except ImportError:
        raise Amiss("its client is not installed", "run `make cluster` once, or install lydia[cluster]") from None
    host, _, port = address.rpartition(":")
    await _reach(host, int(port), "LYDIA_TRITON__SERVERS")
    async with TritonInference(settings) as inference:
        missing = []
        for model in MODELS:
            try:
                async with asyncio.timeout(PROBE_S):
                    ready = await inference.ready(model)
            except TimeoutError:
                ready = False
            if not ready:
                missing.append(model)
    if len(missing) == len(MODELS):
        tls = "unset LYDIA_TRITON__TLS or mend its CA" if settings.tls else "set LYDIA_TRITON__TLS if it wants TLS"
        raise Amiss(
            f"{address}: somebody listens, who has none of Lydia's models over gRPC",
            f"name a Triton's gRPC port (usually 8001) with Lydia's models, or {tls}",
        )
    if missing:
        raise Amiss(f"{address}: not ready there: {', '.join(missing)}", "load them, or wait until they are loaded")
    return f"{address} has her models"


async def _ray(url: str) -> str:
    try:
        async with httpx.AsyncClient(trust_env=False, timeout=PROBE_S) as client:
            status = (await client.get(f"{url.rstrip('/')}/healthz")).status_code
    except httpx.HTTPError as error:
        mend = "start Ray Serve, set LYDIA_RAY__URL to where it is, or unset it: audience then decides by itself"
        raise Amiss(f"{url} does not answer ({type(error).__name__})", mend) from None
    if status != httpx.codes.OK:
        mend = "deploy services.audience.serve_app:build there, or mend LYDIA_RAY__URL"
        raise Amiss(f"{url} answers {status}: the audience is not there", mend)
    return f"{url} answers"


async def _reach(host: str, port: int, setting: str) -> None:
    """Returns when somebody listens there. Raises Amiss."""
    try:
        async with asyncio.timeout(PROBE_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise Amiss(
            f"{host}:{port} cannot be reached ({why})", f"start that server, or set {setting} to where it is"
        ) from None
    writer.close()
