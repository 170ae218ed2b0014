"""A collector for one run: takes Lydia's spans over OTLP/HTTP and tells where the time of an event went."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from deploy.local.process import free_port

STAGES = (
    ("audience chose", "process lydia.audience", "end"),
    ("chat took the turn", "process lydia.turns", "start"),
    ("first words", "process lydia.text", "start"),
    ("first voice", "process lydia.voice", "start"),
    ("first frames", "process lydia.frames", "start"),
    ("on the stage", "perform first frame", "start"),
)
"""Milestones of an event on its way: name, span, which end of it."""


@dataclass
class Collector:
    """Spans by trace."""

    endpoint: str
    traces: dict[bytes, list[Span]] = field(default_factory=dict)

    def milestones(self, rooms: str) -> dict[str, list[float]]:
        """Milliseconds from an event's receipt to each milestone, over traces that reached the stage.

        Counts the rooms whose names begin with `rooms`.
        """
        found: dict[str, list[float]] = {name: [] for name, _, _ in STAGES}
        for spans in self.traces.values():
            begin = min(span.start_time_unix_nano for span in spans)
            ids = {a.value.string_value for span in spans for a in span.attributes if a.key == "lydia.room_id"}
            performed = any(span.name == "perform first frame" for span in spans)
            if not performed or not all(room_id.startswith(rooms) for room_id in ids):
                continue
            for name, wanted, side in STAGES:
                times = [getattr(span, f"{side}_time_unix_nano") for span in spans if span.name == wanted]
                if times:
                    found[name].append((min(times) - begin) / 1e6)
        return found


@asynccontextmanager
async def collecting(port: int | None = None) -> AsyncIterator[Collector]:
    """A collector on a port of the loopback interface, a free one unless it is given."""
    port = port or free_port()
    collector = Collector(f"http://127.0.0.1:{port}")
    app = FastAPI()

    @app.post("/v1/traces")
    async def take(request: Request) -> Response:
        body = await request.body()
        if "json" in request.headers.get("content-type", ""):  # Triton's
            export = _of_json(body)
        else:
            export = ExportTraceServiceRequest.FromString(body)
        for resource in export.resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    collector.traces.setdefault(span.trace_id, []).append(span)
        return Response(b"", media_type="application/x-protobuf")

    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve(), name="collector")
    try:
        yield collector
    finally:
        server.should_exit = True
        await serving


def _of_json(body: bytes) -> ExportTraceServiceRequest:
    """OTLP's JSON: protobuf's, but for ids in hexadecimal digits. https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding"""

    def in_base64(found: dict[str, Any]) -> dict[str, Any]:
        ids = {name: found[name] for name in ("traceId", "spanId", "parentSpanId") if name in found}
        return found | {name: base64.b64encode(bytes.fromhex(digits)).decode() for name, digits in ids.items()}

    return json_format.ParseDict(
        json.loads(body, object_hook=in_base64), ExportTraceServiceRequest(), ignore_unknown_fields=True
    )
