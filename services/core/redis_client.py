"""Connections to Redis, for the bus and the state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import hiredis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.exceptions import RedisError

_PACK_ANY = HiredisRespSerializer().pack


def connect(url: str, *, connections: int) -> Redis:
    """A client with at most so many connections; who needs one more waits.

    Nothing is sent twice on its own: after a lost answer only the caller knows whether a repetition does harm. And no
    time-outs here: `answered` bounds a whole call, the wait for a connection included.
    """
    # A server whose machine is gone answers nothing at all, not even that it is gone.
    network: dict[str, Any] = {} if url.startswith("unix:") else {"socket_keepalive": True}
    pool = _Pool.from_url(
        url,
        max_connections=connections,
        timeout=None,
        socket_timeout=None,
        socket_connect_timeout=None,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
        **network,
    )
    pool.connection_class = _packing(pool.connection_class)
    client = Redis.from_pool(pool)
    for command in ("XREAD", "XRANGE"):  # dictionaries of their entries would only cost time
        client.set_response_callback(command, _as_sent)
    return client


class _Pool(BlockingConnectionPool):
    """The library's pool, which waits and looks after its connections as before, without counting them for metrics and
    listeners that nobody has here: that was half of what a command costs.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._places = asyncio.Semaphore(self.max_connections)

    async def get_connection(self, *_command: Any, **_options: Any) -> AbstractConnection:
        await self._places.acquire()
        connection: AbstractConnection = self.get_available_connection()  # type: ignore[no-untyped-call]
        try:
            await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: AbstractConnection) -> None:
        self._in_use_connections.remove(connection)
        try:
            if connection.should_reconnect():  # type: ignore[no-untyped-call]
                await connection.disconnect()
        finally:
            self._available_connections.append(connection)
            self._places.release()


def _packing(kind: Any) -> Any:
    """A kind of connection whose commands are written out in C: a call of the bus has hundreds of arguments."""

    class Packing(kind):  # type: ignore[misc]
        def pack_command(self, *arguments: Any) -> list[bytes]:
            try:
                if " " not in arguments[0]:
                    return [hiredis.pack_command(arguments)]
            except TypeError:
                pass  # the client's own way says what is wrong
            packed: list[bytes] = _PACK_ANY(*arguments)
            return packed

    return Packing


def _as_sent(response: Any, **_options: Any) -> Any:
    return response


@asynccontextmanager
async def answered(timeout_s: float, failure: type[Exception]) -> AsyncIterator[None]:
    """Turns every way in which Redis can fail to answer within `timeout_s` into `failure`.

    Raises TypeError where a key holds something of another type, which no waiting mends.
    """
    try:
        async with asyncio.timeout(timeout_s):
            yield
    except TimeoutError as error:
        raise failure(f"Redis did not answer within {timeout_s:g} s") from error
    except (RedisError, OSError) as error:
        if "WRONGTYPE" in str(error):
            raise TypeError(str(error)) from error
        raise failure(f"Redis: {error}") from error
