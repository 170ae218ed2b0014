"""A wrong value is refused before anything is installed, and the answer names it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from deploy.chart.__main__ import stale
from deploy.chart.render import CHART, Refused, render

MODELS = "triton.models={chat.persona,motion.rules,speech.espeak,speech.natural}"
WRONG = {
    "a misspelt name": ("gatway.replicas=2", "gatway"),
    "a misspelt setting of hers": ("settings.audience.quit_s=30", "quit_s"),
    "a setting that is too large": ("settings.audience.chat_lifetime_s=601", "chat_lifetime_s"),
    "a setting that the chart sets": ("settings.http.port=80", "http"),
    "a secret among the settings": ("settings.auth.operator_token=hush", "auth"),
    "no replicas": ("services.gateway.replicas=0", "services/gateway/replicas"),
    "half a replica": ("services.chat.replicas=1.5", "services/chat/replicas"),
    "more readers than partitions": ("services.speech.scaling.max=13", "services/speech/scaling/max"),
    "a second stage": ("services.stage.replicas=2", "replicas"),
    "another bus": ("bus=rabbitmq", "bus"),
    "no drain": ("drainSeconds=0", "drainSeconds"),
    "a login in an address": ("redis.external.url=redis://user:hush@there:6379/0", "redis.external.url must not hold"),
    "another server than Redis": ("redis.external.url=http://there:6379/0", "redis/external/url"),
    "an address without a port": ("kafka.external.bootstrapServers=there", "bootstrapServers"),
    "no limit of memory": ("services.motion.resources.limits.memory=null", "services/motion/resources/limits"),
    "memory in words": ("services.motion.resources.limits.memory=much", "services/motion/resources/limits/memory"),
    "an image that changes": ("image.tag=latest", "image/tag"),
    "an unknown device": ("triton.device.kind=tpu", "triton/device/kind"),
    "an unknown model": ("triton.models={speech.other}", "triton/models"),
    "two controllers": ("kafka.strimzi.controllers.replicas=2", "controllers/replicas"),
    "a secret without a name": ("secrets.operatorToken.name=", "operatorToken/name"),
    "a port that is none": ("networkPolicy.outside={70000}", "networkPolicy/outside"),
    "an interval in words": ("monitoring.interval=often", "monitoring/interval"),
    # what does not go together
    "a slice without its name": ("triton.device.kind=mig", "triton.device.resource, the slice's name"),
    "Redis elsewhere, and nowhere": ("redis.mode=external", "redis.external.url is empty"),
    "Kafka elsewhere, and nowhere": ("kafka.mode=external", "kafka.external.bootstrapServers is empty"),
    "more copies than brokers": ("kafka.strimzi.replication=4", "must not be above kafka.strimzi.brokers.replicas"),
    "least above most": ("services.chat.scaling.min=12,services.chat.scaling.max=3", "services.chat.scaling.min (12)"),
    "scaling by nothing": ("scaling.enabled=true", "scaling.prometheus"),
    "a route to nowhere": ("route.enabled=true,networkPolicy.entrance=in", "route.parents"),
    "a way in that is closed": ("ingress.enabled=true", "networkPolicy.entrance"),
    "two ways in": ("ingress.enabled=true,route.enabled=true,networkPolicy.entrance=in", "Choose one"),
    "a model that is missed": ("triton.models={chat.persona,motion.rules,speech.espeak}", "speech.natural"),
    "a network that is missed": (f"settings.chat.network=true,{MODELS}", "triton.models lacks chat.network"),
    "an ear that is missed": (
        f"settings.speech.base_url=http://voice:80/v1,{MODELS}",
        "triton.models lacks motion.network",
    ),
    "an ear that is wanted": (f"settings.motion.network=true,{MODELS}", "triton.models lacks motion.network"),
    "a file above its claim": ("files.avatar.path=../avatar.vrm", "files/avatar/path"),
    "an app without its secret": ("settings.douyin.app_id=tt1", "secrets.douyinAppSecret.name"),
}


@pytest.mark.parametrize(("given", "named"), WRONG.values(), ids=WRONG)
def test_a_wrong_value_is_refused_and_named(given: str, named: str) -> None:
    with pytest.raises(Refused) as refused:
        render(sets=(given,))
    assert named in str(refused.value)
    assert "hush" not in str(refused.value).replace(given, ""), "a secret is repeated"


def test_several_mistakes_are_told_at_once() -> None:
    with pytest.raises(Refused) as refused:
        render(sets=("scaling.enabled=true", "redis.mode=external"))
    assert str(refused.value).count("\n- ") == 3


def test_what_is_generated_is_not_stale() -> None:
    assert stale() == {}, "run python -m deploy.chart write"


def _objects(schema: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema and "type" in schema:
            yield path, schema
        for key, value in schema.items():
            yield from _objects(value, f"{path}/{key}")
    elif isinstance(schema, list):
        for value in schema:
            yield from _objects(value, path)


def test_the_schema_has_no_room_for_misspelt_names() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    found = dict(_objects(schema))
    assert len(found) > 40
    assert [path for path, each in found.items() if each.get("additionalProperties") is not False] == []


def test_every_value_is_in_the_schema_and_every_name_of_the_schema_has_a_value() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    values = yaml.safe_load((CHART / "values.yaml").read_text())

    def resolved(each: Any) -> Any:
        return schema["$defs"][each["$ref"].rpartition("/")[2]] if "$ref" in each else each

    def compare(value: Any, of: Any, path: str) -> Iterator[str]:
        of = resolved(of)
        if "allOf" in of:
            of = resolved(of["allOf"][0])
        if not isinstance(value, dict) or "properties" not in of or path == ".settings":
            return
        named = of["properties"].keys()
        yield from (f"{path}.{name} has no value" for name in named - value.keys() if path)
        yield from (f"{path}.{name} is not in the schema" for name in value.keys() - named)
        for name in value.keys() & named:
            yield from compare(value[name], of["properties"][name], f"{path}.{name}")

    told = [each for each in compare(values, schema, "") if "ephemeral-storage" not in each and ".cpu " not in each]
    assert told == []
    assert schema["properties"].keys() - values.keys() == {"global", "nameOverride"}
