"""The schema of the chart's values: values.schema.yaml beside this file, with what the code knows filled in."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from services.core import topics
from services.core.inference.triton_repository import models
from services.core.settings import Section, Settings

SOURCE = Path(__file__).with_name("values.schema.yaml")
SET_BY_THE_CHART = frozenset(
    {
        "data_dir",
        "record_dir",
        "bus",
        "drain_s",
        "http",
        "triton.servers",
        "triton.tls",
        "triton.ca",
        "triton.certificate",
        "triton.key",
        "redis.url",
        "redis.username",
        "redis.ca",
        "ray.url",
        "telemetry.otlp_endpoint",
        "kafka",
        # A file of the pod, a port of the companion plugin's own machine.
        "audience.words",
        "stage.avatar",
        "douyin.pipe_port",
    }
)
"""Settings that `settings` has no place for."""


def text() -> str:
    """The file."""
    return json.dumps(whole(), indent=1, ensure_ascii=False) + "\n"


@cache
def whole() -> dict[str, Any]:
    """The schema."""
    schema: dict[str, Any] = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    schema["properties"]["settings"] = own_settings()
    schema["properties"]["triton"]["properties"]["models"]["items"] = {"enum": sorted(models())}
    schema["$defs"]["readers"]["maximum"] = topics.layout(topics.AUDIENCE).partitions
    return schema


def own_settings() -> dict[str, Any]:
    """The schema of `settings`: every setting that is neither secret nor the chart's to set."""
    whole = Settings.model_json_schema()
    kinds = whole["$defs"]
    properties: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if name in SET_BY_THE_CHART:
            continue
        if isinstance(section, type) and issubclass(section, Section):
            inner = {
                key: _plain(kinds[section.__name__]["properties"][key], kinds)
                for key, each in section.model_fields.items()
                if f"{name}.{key}" not in SET_BY_THE_CHART and not _secret(each)
            }
            if inner:
                properties[name] = {"type": "object", "additionalProperties": False, "properties": inner}
        else:
            properties[name] = _plain(whole["properties"][name], kinds)
    return {
        "description": "Lydia's own settings, as in lydia.yaml",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def _secret(field: FieldInfo) -> bool:
    return "Secret" in str(field.annotation) + str(field.metadata)


def _plain(schema: Any, kinds: dict[str, Any]) -> Any:
    """Without references, titles and defaults."""
    match schema:
        case {"$ref": str() as reference, **more}:
            return _plain(kinds[reference.rpartition("/")[2]] | more, kinds)
        case dict():
            dropped = {"title", "default", "format"}
            return {key: _plain(value, kinds) for key, value in schema.items() if key not in dropped}
        case list():
            return [_plain(each, kinds) for each in schema]
        case _:
            return schema
