"""Events as bus records: CloudEvents 1.0 in binary mode (Kafka binding) plus W3C trace context.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.context import Context
from opentelemetry.trace import Span, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.core.bus.port import Record

M = TypeVar("M", bound=Message)

MAX_VALUE_BYTES = 1_000_000
TRACE_CONTEXT = TraceContextTextMapPropagator()
"""Not the process-wide propagator: what goes over the bus must not depend on an environment variable."""


class Malformed(Exception):
    """A record that is not the event it should be. It belongs in the topic's dead letters."""


def seal(
    topic: str, event: Message, *, event_id: str, room_id: str, source: str, now_ms: int, span: Span | None = None
) -> Record:
    """Wraps an event for the bus. The trace of `span`, or else the current one, goes with it.

    `event_id` must be the same whenever the same event is published again. Raises ValueError for an event of more
    than MAX_VALUE_BYTES.
    """
    value = event.SerializeToString(deterministic=True)
    if len(value) > MAX_VALUE_BYTES:
        raise ValueError(f"a {event.DESCRIPTOR.full_name} of {len(value)} bytes is over the {MAX_VALUE_BYTES} allowed")
    headers = {
        "ce_specversion": "1.0",
        "ce_id": event_id,
        "ce_source": f"/lydia/{source}",
        "ce_type": event.DESCRIPTOR.full_name,
        "ce_time": _written(now_ms),
        "content-type": "application/protobuf",
    }
    TRACE_CONTEXT.inject(headers, None if span is None else set_span_in_context(span, _NOTHING))
    return Record(topic, room_id, value, headers)


_NOTHING = Context()


@lru_cache(maxsize=16)  # what comes together has the same time
def _written(now_ms: int) -> str:
    """A time in the form of RFC 3339."""
    return datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def unseal(record: Record, kind: type[M]) -> M:
    """The event in a record. Raises Malformed when the record holds something else."""
    announced = record.headers.get("ce_type")
    if announced is not None and announced != kind.DESCRIPTOR.full_name:
        raise Malformed(f"holds {announced}, not {kind.DESCRIPTOR.full_name}")
    try:
        return kind.FromString(record.value)
    except DecodeError as error:
        raise Malformed(f"is no {kind.DESCRIPTOR.full_name}: {error}") from None


def age_s(record: Record, now_ms: int) -> float | None:
    """How long ago the record was sealed, by the machines' clocks; None when it does not say. Never negative."""
    try:
        sealed = datetime.fromisoformat(record.headers["ce_time"])
        return max(now_ms / 1000 - sealed.timestamp(), 0.0)
    except (KeyError, ValueError):
        return None


def trace_of(headers: Mapping[str, str]) -> Context:
    """The trace that a record belongs to."""
    return TRACE_CONTEXT.extract(headers)
