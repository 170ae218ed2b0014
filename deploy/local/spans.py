"""Where traces go on this machine: takes spans over OTLP/HTTP, keeps the newest traces in memory, and shows them.

https://opentelemetry.io/docs/specs/otlp/#otlphttp: protobuf as Lydia sends it, JSON as Triton does.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deploy.local.process import free_port

TRACES = 1_000
SPANS = 1_000
"""Of one trace; more are dropped."""


@dataclass(frozen=True)
class Seen:
    """A span and the service that sent it."""

    service: str
    span: Span


@dataclass
class Spans:
    """The newest traces by id; each one's spans as they came."""

    endpoint: str
    traces: OrderedDict[bytes, list[Seen]] = field(default_factory=OrderedDict)
    most: int = TRACES
    """Traces that are kept."""

    def take(self, export: ExportTraceServiceRequest) -> None:
        """Adds what one request brought."""
        for resource in export.resource_spans:
            names = [a.value.string_value for a in resource.resource.attributes if a.key == "service.name"]
            for scope in resource.scope_spans:
                for span in scope.spans:
                    trace = self.traces.setdefault(span.trace_id, [])
                    if len(trace) < SPANS:
                        trace.append(Seen(next(iter(names), "?"), span))
        while len(self.traces) > self.most:
            self.traces.popitem(last=False)

    def tree(self, trace_id: bytes) -> str:
        """A trace as text: each span below its parent, with when it began and how long it took (milliseconds)."""
        trace = self.traces.get(trace_id, [])
        known = {seen.span.span_id for seen in trace}
        below: dict[bytes, list[Seen]] = defaultdict(list)
        for seen in sorted(trace, key=lambda seen: seen.span.start_time_unix_nano):
            parent = seen.span.parent_span_id
            below[parent if parent in known else b""].append(seen)
        begin = min((seen.span.start_time_unix_nano for seen in trace), default=0)

        def lines(parent: bytes, depth: int) -> Iterator[str]:
            for seen in below[parent]:
                span = seen.span
                at = (span.start_time_unix_nano - begin) / 1e6
                took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1e6
                yield f"{at:9.1f} {took:9.1f}  {'  ' * depth}{seen.service}: {span.name}"
                yield from lines(span.span_id, depth + 1)

        return "\n".join(["  at (ms) took (ms)", *lines(b"", 0)]) + "\n"


@asynccontextmanager
async def collecting(port: int = 0) -> AsyncIterator[Spans]:
    """Takes spans on a port of the loopback interface while the context lasts. `/` lists what it has."""
    port = port or free_port()
    spans = Spans(f"http://127.0.0.1:{port}")
    app = FastAPI(docs_url=None, redoc_url=None)

    @app.post("/v1/traces")
    async def take(request: Request) -> Response:
        body = await request.body()
        if request.headers.get("content-type", "").startswith("application/json"):
            spans.take(_of_json(json.loads(body)))
            return Response(b"{}", media_type="application/json")
        spans.take(ExportTraceServiceRequest.FromString(body))
        return Response(b"", media_type="application/x-protobuf")

    @app.get("/")
    async def newest() -> Response:
        shown = [
            f"{spans.endpoint}/traces/{trace_id.hex()}  {len(trace):4} spans  {trace[0].span.name}"
            for trace_id, trace in reversed(spans.traces.items())
        ]
        return PlainTextResponse("\n".join(shown) + "\n")

    @app.get("/traces/{trace_id}")
    async def trace(trace_id: str) -> Response:
        try:
            return PlainTextResponse(spans.tree(bytes.fromhex(trace_id)))
        except ValueError:
            return PlainTextResponse("no such trace\n", 404)

    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve(), name="spans")
    try:
        yield spans
    finally:
        server.should_exit = True
        await serving


def _of_json(export: Any) -> ExportTraceServiceRequest:
    """OTLP's JSON writes ids in hexadecimal figures, where protobuf's own JSON has base64."""
    for resource in export.get("resourceSpans", ()):
        for scope in resource.get("scopeSpans", ()):
            for span in scope.get("spans", ()):
                for parts in (span, *span.get("links", ())):
                    for name in ("traceId", "spanId", "parentSpanId"):
                        if parts.get(name):
                            parts[name] = base64.b64encode(bytes.fromhex(parts[name])).decode()
    return json_format.ParseDict(export, ExportTraceServiceRequest(), ignore_unknown_fields=True)
