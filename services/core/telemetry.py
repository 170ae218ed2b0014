"""Traces and metrics as one port, handed to every service."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Link, Span, SpanKind, StatusCode, get_current_span

from services.core.bus.port import Record
from services.core.clock import Clock
from services.core.envelope import age_s, trace_of
from services.core.metrics import Metrics


class Telemetry:
    """Makes spans and holds the metrics. One trace is one audience event, so spans continue the record's trace.

    Names follow OpenTelemetry's messaging conventions (`process {topic}`); a handler deals with one record at a time,
    which allows the record's context to be the parent rather than a link.
    """

    def __init__(
        self,
        service: str,
        *,
        metrics: Metrics | None = None,
        processors: tuple[SpanProcessor, ...] = (),
        clock: Clock | None = None,
    ) -> None:
        """With a `clock` the way of records is timed, from their stamp to their handling."""
        self.metrics = metrics or Metrics()
        self._clock = clock
        # With nobody watching, spans only hand on their ids, at a small part of the cost.
        self._provider = TracerProvider(
            sampler=None if processors else ALWAYS_OFF,
            resource=Resource.create({"service.name": f"lydia-{service}"}),
        )
        for processor in processors:
            self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("lydia")

    def span(
        self,
        name: str,
        *,
        kind: SpanKind = SpanKind.INTERNAL,
        parent: Mapping[str, str] | None = None,
        attributes: Mapping[str, str | int | float | bool] | None = None,
        links: tuple[Link, ...] = (),
    ) -> AbstractContextManager[Span]:
        """A span below the current one, or below the one that a record's headers name.

        An exception marks it as failed and goes on.
        """
        return self._open(name, None if parent is None else trace_of(parent), kind, attributes, links)

    def root(
        self, name: str, *, kind: SpanKind, **attributes: str | int | float | bool
    ) -> AbstractContextManager[Span]:
        """The first span of a new trace, whatever the current one is; afterwards it is the current one."""
        return self._open(name, Context(), kind, attributes)

    @contextmanager
    def roots(
        self, each: Iterable[tuple[str, Mapping[str, str | int | float | bool]]], *, kind: SpanKind
    ) -> Iterator[Sequence[Span]]:
        """The first span of a new trace for each name and its attributes, for what is done for all of them together.

        None of them becomes the current one.
        """
        nothing, start = Context(), self._tracer.start_span
        spans = [start(name, context=nothing, kind=kind, attributes=attributes) for name, attributes in each]
        try:
            yield spans
        except Exception as error:
            for span in spans:
                _failed(span, error)
            raise
        finally:
            for span in spans:
                span.end()

    def arrived(self, record: Record, *, service: str) -> None:
        """A record is about to be handled for the first time."""
        if self._clock is not None and (age := age_s(record, self._clock.now_ms())) is not None:
            self.metrics.transit_seconds.labels(service, record.topic).observe(age)

    def process(self, record: Record, *, service: str, links: tuple[Link, ...] = ()) -> AbstractContextManager[Span]:
        """A span for the handling of a record, in the record's trace."""
        attributes = {
            "messaging.system": "lydia",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": record.topic,
            "messaging.consumer.group.name": service,
            "messaging.message.id": record.headers.get("ce_id", ""),
            "lydia.service": service,
            "lydia.room_id": record.key,
        }
        return self._open(f"process {record.topic}", trace_of(record.headers), SpanKind.CONSUMER, attributes, links)

    @contextmanager
    def _open(
        self,
        name: str,
        context: Context | None,
        kind: SpanKind,
        attributes: Mapping[str, str | int | float | bool] | None,
        links: tuple[Link, ...] = (),
    ) -> Iterator[Span]:
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=kind,
            attributes=attributes,
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except Exception as error:
                _failed(span, error)
                raise

    def close(self) -> None:
        """Sends what is left."""
        self._provider.shutdown()


def _failed(span: Span, error: Exception) -> None:
    """Only the exception's type: its text may quote what a viewer wrote."""
    span.set_attribute("error.type", type(error).__qualname__)
    span.set_status(StatusCode.ERROR)


def otlp(endpoint: str) -> SpanProcessor:
    """Sends spans to an OpenTelemetry collector over HTTP. A collector that is away costs spans, nothing else."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    logging.getLogger("opentelemetry.exporter.otlp").setLevel(logging.CRITICAL)
    return BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces", timeout=5))


def current_link() -> Link:
    """A link to the current span, for a turn that answers several events."""
    return Link(get_current_span().get_span_context())


def link_to(headers: Mapping[str, str]) -> Link:
    """A link to the span that a record's headers name."""
    return Link(get_current_span(trace_of(headers)).get_span_context())
