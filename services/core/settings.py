"""All settings, read once at start: environment `LYDIA_…` over one YAML file over the defaults.

`LYDIA_STAGE__LEAD_MS=80` sets `stage.lead_ms`. A variable that ends in `_FILE` names a file that holds the value, for
secrets. An empty variable counts as unset. `LYDIA_CONFIG` names the YAML file (default `lydia.yaml`, which may be
missing).
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_origin
from urllib.parse import quote, urlencode, urlsplit, urlunsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticCustomError

PREFIX = "LYDIA_"
CONFIG_VARIABLE = "LYDIA_CONFIG"
ALIASES = {"LYDIA_KAFKA_BOOTSTRAP_SERVERS": "LYDIA_KAFKA__BOOTSTRAP_SERVERS"}
"""The first name is what other programs' settings are called like, so it is easily written."""

DouyinType = Literal[
    "live_comment",
    "live_gift",
    "live_like",
    "live_fansclub",
    "live_follow",
    "live_enter",
    "live_user_enter_leave",
    "live_enter_room",
]
Milliseconds = Annotated[int, Field(ge=0, le=3_600_000)]
Port = Annotated[int, Field(ge=0, le=65_535)]
RoomId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


def _address(url: str) -> str:
    """Refuses what no request can be sent to; empty is for the setting's description to explain."""
    if url and not re.fullmatch(r"https?://[^\s/?#]+[^\s?#]*", url):
        raise ValueError("must begin with http:// or https:// and name a server")
    return url


def _redis(url: str) -> str:
    """Refuses what is no Redis, and passwords in what is shown to people."""
    if not url:
        return url
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        raise ValueError("must begin with redis:// or rediss:// and name a server")
    if parts.username or parts.password:
        raise PydanticCustomError("login", "must not hold the login: set redis.username and redis.password")
    return url


def _sendable(secret: SecretStr) -> SecretStr:
    """Refuses what opens the door to everybody (an empty token), and what no header can carry."""
    text = secret.get_secret_value()
    if not text or not all("!" <= character <= "~" for character in text):
        raise ValueError("must be one or more visible ASCII characters, without spaces")
    return secret


Url = Annotated[str, AfterValidator(_address)]
Secret = Annotated[SecretStr, AfterValidator(_sendable)]


class Section(BaseModel):
    """A group of settings: immutable, and without room for misspelt names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Http(Section):
    """Where Lydia listens."""

    host: str = Field(
        "127.0.0.1", pattern=r"^[A-Za-z0-9.:_-]+$", description="address to listen on; loopback keeps her private"
    )
    port: Port = Field(8080, description="port for everything; 0 takes a free one")

    @property
    def private(self) -> bool:
        """Whether only this machine reaches her."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


class Auth(Section):
    """Who may write."""

    operator_token: Secret | None = Field(None, description="opens the console; made and kept in data_dir when unset")
    message_token: Secret | None = Field(None, description="asked of POST /rooms/{room_id}/messages when set")


class KnownGift(Section):
    """What the console's gift table says of one gift."""

    name: str = Field(description="as she says it in thanks")
    price_fen: int = Field(0, ge=0, description="of one; needed where the platform does not send the value")


class Douyin(Section):
    """Douyin's official live data service."""

    # Room ids are numbers in YAML and text everywhere else.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, coerce_numbers_to_str=True)

    app_id: str = Field("", description="tt…; without it no push task is started")
    app_secret: Secret | None = Field(None, description="secret of the app, for access tokens")
    push_secrets: dict[DouyinType, Secret] = Field(
        default_factory=dict, description="data secret of each message type, e.g. {live_comment: …, live_gift: …}"
    )
    token_url: Url = Field(
        "https://developer.toutiao.com/api/apps/v2/token", description="where access tokens come from"
    )
    api_url: Url = Field("https://webcast.bytedance.com", description="base of the live data calls")
    rooms: tuple[RoomId, ...] = Field((), description="room ids whose push tasks are kept running")
    launch_token: Secret | None = Field(None, description="token of the live companion, exchanged for the room")
    gifts: dict[str, KnownGift] = Field(default_factory=dict, description="sec_gift_id → {name: …, price_fen: …}")
    window_s: int = Field(300, ge=10, le=3600, description="how far a push's time stamp may be off")
    acks: bool = Field(True, description="report to the platform what was received and performed")
    pipe_port: Port | None = Field(
        None,
        description="loopback port where the live companion plugin writes its events, a JSON line each",
    )


class Gateway(Section):
    """How much of what viewers do is taken in. What was paid for always is."""

    room_per_s: float = Field(
        20,
        gt=0,
        description="chat messages of one room a second, and as many likes, follows and the like, over all gateways; "
        "the rest is left out",
    )
    all_per_s: float = Field(500, gt=0, description="the same of all rooms together that a gateway has")
    behind: int = Field(
        2_000, ge=100, description="events that audience has still to read from which on none of these are taken in"
    )


class Audience(Section):
    """How she chooses."""

    chat_lifetime_s: float = Field(45, gt=0, le=600, description="a message older than this is no longer answered")
    queue_size: int = Field(200, ge=10, le=5000, description="chat messages waiting in one room at most")
    interrupt_fen: int = Field(1000, ge=0, description="a gift of this value (0.01 CNY) or more cuts in at once")
    thanks_at_once: int = Field(12, ge=1, le=20, description="viewers thanked in one turn at most")
    quiet_s: float = Field(20, gt=1, description="silence after which she starts to talk by herself")
    words: Path | None = Field(None, description="YAML file with your own moderation rules, added to the built-in ones")
    seed: int = Field(2112, description="of her random choices; the same log and seed give the same show")


class OpenAI(Section):
    """An OpenAI-compatible server. Unset: the built-in rung is used."""

    base_url: Url = Field("", description="e.g. http://127.0.0.1:11434/v1")
    api_key: Secret | None = Field(None, description="sent as a bearer token")
    model: str = Field("", description="the server's name of the model")
    first_s: float = Field(3.0, gt=0, le=60, description="how long to wait for its first piece before stepping down")
    total_s: float = Field(20.0, gt=0, le=120, description="how long one answer may take in all")


class Chat(OpenAI):
    """Her words: an OpenAI-compatible server where one is set, her own network where it is on, else her persona."""

    network: bool = Field(False, description="answer chat with her own network before the hand-written persona")


class Speech(OpenAI):
    """An OpenAI-compatible server for her voice. Unset: one of her own voices speaks."""

    voice: str = Field("", description="the server's name of the voice")
    own_voice: Literal["lydia", "lydia-soft", "fast"] = Field(
        "lydia", description="which of her own voices speaks; fast: the one that costs least, and sounds it"
    )
    finest: bool = Field(False, description="her own voice by its heavy vocoder: about a core for each speaking room")
    own_network: bool = Field(
        False, description="her own text2speech network in place of the open one: less work, and no files of others"
    )


class Motion(Section):
    """Her face and body."""

    network: bool = Field(
        False, description="move her by her own network, from the sound alone, also where phonemes are known"
    )


class Stage(Section):
    """How the room is performed."""

    lead_ms: Milliseconds = Field(40, description="how far ahead of its sound a piece is sent at least")
    ahead_ms: Milliseconds = Field(400, description="how far ahead at most; what is not sent can be stopped")
    avatar: Path | None = Field(
        None, description="a VRM file (0.x or 1.0, at most 100 MB) that she wears instead of her own body"
    )
    fade_ms: Milliseconds = Field(30, description="how long a stopped voice fades")
    speed: float = Field(1.0, ge=1, le=100, description="rehearsal: the show runs this much faster than real time")
    max_rooms: int = Field(100, ge=1, description="rooms at once; more are refused")
    max_renderers: int = Field(200, ge=1, description="connections to one room at most")

    @model_validator(mode="after")
    def _least_before_most(self) -> Self:
        if self.lead_ms > self.ahead_ms:
            raise ValueError(f"lead_ms ({self.lead_ms}) must not be above ahead_ms ({self.ahead_ms})")
        return self


class Triton(Section):
    """Where the models are, when they do not run in the services' own processes."""

    servers: tuple[str, ...] = Field((), description="addresses of Triton's gRPC ports, e.g. [127.0.0.1:8001]")
    answer_s: float = Field(5.0, gt=0, le=120, description="how long to wait for each piece of an answer")
    tls: bool = Field(False, description="encrypt the connections and check who the servers are")
    ca: Path | None = Field(None, description="PEM file of who vouches for the servers; unset: the system's")
    certificate: Path | None = Field(None, description="PEM file that tells the servers who Lydia is")
    key: Path | None = Field(None, description="PEM file with the key of `certificate`")


class Redis(Section):
    """The state of a cluster, and its bus where `bus` says so. `lydia up` brings a Redis of its own."""

    url: Annotated[str, AfterValidator(_redis)] = Field(
        "", description="redis://host:port/database, or rediss://… for TLS; without user and password"
    )
    username: str = Field("", description="of the server's access list; empty is its default user")
    password: Secret | None = Field(None, description="of that user")
    ca: Path | None = Field(None, description="PEM file with the authorities to trust; unset: the system's")
    timeout_s: float = Field(2.0, gt=0, le=60, description="how long one call may take")

    @property
    def login(self) -> str:
        """For a client: the URL with user, password and authorities, a secret."""
        parts = urlsplit(self.url)
        secret = self.password.get_secret_value() if self.password else ""
        user = f"{quote(self.username, safe='')}:{quote(secret, safe='')}@" if secret or self.username else ""
        query = urlencode({"ssl_ca_certs": str(self.ca)}) if self.ca is not None else ""
        return urlunsplit((parts.scheme, user + parts.netloc, parts.path, query, ""))

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.ca is not None and not self.url.startswith("rediss://"):
            raise ValueError("ca is of use with TLS only: write url as rediss://…")
        if self.username and self.password is None:
            raise ValueError("username needs a password")
        return self


class Ray(Section):
    """The audience on Ray Serve: rooms spread over replicas, and the bridge that feeds them."""

    url: Url = Field("", description="where the application answers; unset: audience decides in its own process")
    min_replicas: int = Field(1, ge=1, description="replicas that are always there")
    max_replicas: int = Field(8, ge=1, description="replicas at most")
    cpus: float = Field(1.0, gt=0, description="processors that one replica reserves")
    rooms: int = Field(1000, ge=1, description="rooms of one replica at most; records of more wait")
    target_calls: float = Field(2.0, gt=0, description="calls at once for which one replica is meant")
    max_calls: int = Field(32, ge=1, description="calls at once that one replica takes; more wait")
    look_back_s: float = Field(12.0, gt=0, description="over how long the calls at once are averaged")
    upscale_delay_s: float = Field(3.0, ge=0, description="how long there must be too many calls for a replica more")
    downscale_delay_s: float = Field(120.0, ge=0, description="how long there must be too few for one less")
    drain_s: float = Field(20.0, ge=0, description="how long a replica that goes may take to finish its calls")
    tick_ms: int = Field(20, ge=0, le=1000, description="a room is called at most once in so long")
    batch: int = Field(100, ge=1, le=1000, description="records in one call at most")
    calls: int = Field(64, ge=1, le=1000, description="calls of one bridge at once")
    call_s: float = Field(10.0, gt=0, le=60, description="how long to wait for the answer to a call")
    hold_s: float = Field(3.0, gt=0, le=60, description="a room in which something goes on is called at least so often")

    @model_validator(mode="after")
    def _least_before_most(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(f"min_replicas ({self.min_replicas}) must not be above max_replicas ({self.max_replicas})")
        if self.target_calls > self.max_calls:
            raise ValueError(f"target_calls ({self.target_calls:g}) must not be above max_calls ({self.max_calls})")
        return self


class Telemetry(Section):
    """Who watches."""

    otlp_endpoint: Url = Field("", description="OpenTelemetry collector, e.g. http://127.0.0.1:4318")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="of the log on standard error")


class Kafka(Section):
    """The bus of a cluster."""

    bootstrap_servers: str = Field(
        "", pattern=r"^(|[^\s,:]+:\d+(,[^\s,:]+:\d+)*)$", description="host:port of one or several brokers, with commas"
    )
    client: Literal["kafka-python", "confluent-kafka"] = Field(
        "kafka-python",
        description="the library that speaks with it; confluent-kafka needs less time and is native code",
    )
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="as Kafka calls it; anything but SASL_SSL or SSL can be read on the way"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="how name and password are shown to the broker"
    )
    username: str = Field("", description="for SASL")
    password: Secret | None = Field(None, description="for SASL")
    ca: Path | None = Field(None, description="PEM file with the authorities to trust; unset: the system's")
    certificate: Path | None = Field(None, description="PEM file with this client's certificate, where brokers ask it")
    key: Path | None = Field(None, description="PEM file with the certificate's private key, not encrypted")
    create_topics: bool = Field(True, description="create topics that are missing")
    replicas: int = Field(-1, ge=-1, le=100, description="copies of each topic it creates; -1: as the cluster does")
    partitions: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="partitions of each topic it creates: so many processes of a service share its work; unset: 12",
    )
    instance: str = Field(
        "",
        pattern=r"^[A-Za-z0-9._-]{0,80}$",
        description="a name that this process keeps over restarts, e.g. its pod's: a restart then moves no partition",
    )

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        if self.security_protocol.startswith("SASL") and not (self.username and self.password):
            raise ValueError(f"security_protocol {self.security_protocol} needs username and password")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: set both or none")
        return self


class Settings(Section):
    """Everything that can be set."""

    data_dir: Path = Field(Path("data"), description="where the bus and the state live on disk")
    room: RoomId = Field("lydia", description="the room that the start page opens")
    record_dir: Path | None = Field(None, description="record every room here, for `lydia replay` (names and words!)")
    record_topic: bool = Field(
        False, description="record every room on the bus too, for `lydia record` and `lydia replay` (names and words!)"
    )
    bus: Literal["redis", "kafka"] = Field("redis", description="what carries the events of `lydia serve`")
    drain_s: float = Field(
        25.0, ge=0, le=600, description="how long a service that is to stop may take to finish what it has begun"
    )
    http: Http = Http()
    auth: Auth = Auth()
    douyin: Douyin = Douyin()
    gateway: Gateway = Gateway()
    audience: Audience = Audience()
    chat: Chat = Chat()
    speech: Speech = Speech()
    motion: Motion = Motion()
    stage: Stage = Stage()
    triton: Triton = Triton()
    redis: Redis = Redis()
    ray: Ray = Ray()
    telemetry: Telemetry = Telemetry()
    kafka: Kafka = Kafka()


class BadSettings(Exception):
    """What is wrong with the settings, one line each: name, value and mend."""


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings. Raises BadSettings; nothing has been started then."""
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    values = _yaml_file(environment, problems)
    known = variables()
    for name, text in sorted(environment.items()):
        if not name.startswith(PREFIX) or name == CONFIG_VARIABLE or not text:
            continue
        setting = ALIASES.get(name, name)
        if setting != name and environment.get(setting) and environment[setting] != text:
            problems.append(f"{name}: {setting} is set too, to something else. Remove one of them.")
        if setting not in known and name.removesuffix("_FILE") in known:
            setting = name.removesuffix("_FILE")
            if environment.get(setting):
                problems.append(f"{name}: {setting} is set too. Remove one of them.")
            text = _content(name, text, problems)
        if setting not in known:
            problems.append(_no_such(name, known))
            continue
        path, field = known[setting]
        section = values
        for part in path[:-1]:
            section = section.setdefault(part, {})
        section[path[-1]] = _parsed(name, text, field, problems)
    try:
        settings = Settings.model_validate(values)
    except ValidationError as error:
        problems += [_explain(item) for item in error.errors()]
    if not problems:
        return settings
    raise BadSettings("\n".join(problems))


def variables() -> dict[str, tuple[tuple[str, ...], FieldInfo]]:
    """Every environment variable, with the path of its setting and its field."""
    found: dict[str, tuple[tuple[str, ...], FieldInfo]] = {}
    for name, field in Settings.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            for inner, inner_field in kind.model_fields.items():
                found[f"{PREFIX}{name}__{inner}".upper()] = ((name, inner), inner_field)
        else:
            found[f"{PREFIX}{name}".upper()] = ((name,), field)
    return found


def _yaml_file(environment: Mapping[str, str], problems: list[str]) -> dict[str, Any]:
    path = Path(environment.get(CONFIG_VARIABLE) or "lydia.yaml")
    if not environment.get(CONFIG_VARIABLE) and not path.exists():
        return {}
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problems.append(f"{CONFIG_VARIABLE}={path}: {_reason(error)}. Mend the file or unset the variable.")
        return {}
    if values is None:
        return {}
    if not isinstance(values, dict):
        problems.append(f"{CONFIG_VARIABLE}={path}: is no mapping of settings. Write `name: value` lines.")
        return {}
    for name, value in values.items():
        if name in Settings.model_fields and isinstance(Settings.model_fields[name].default, Section):
            values[name] = {} if value is None else value
            if not isinstance(values[name], dict):
                problems.append(f"{name} in {path}: is no mapping of settings. Write `name: value` lines below it.")
                values[name] = {}
    return values


def _content(name: str, path: str, problems: list[str]) -> str:
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        problems.append(f"{name}={path}: {_reason(error)}. Name a readable text file.")
        return ""
    if not text:
        problems.append(f"{name}={path}: the file is empty. Write the value into it, or unset the variable.")
    return text


def _reason(error: Exception) -> str:
    """What is wrong with a file, without repeating what stands in it: that may be a secret."""
    match error:
        case OSError():
            return f"cannot be read ({error.strerror})"
        case yaml.MarkedYAMLError(problem_mark=yaml.Mark() as mark):
            return f"is no YAML ({error.problem} in line {mark.line + 1})"
        case yaml.YAMLError():
            return "is no YAML"
        case _:
            return "is no UTF-8 text"


def _parsed(name: str, text: str, field: FieldInfo, problems: list[str]) -> Any:
    """Mappings and lists are written as YAML in a variable (JSON is YAML too); everything else is text."""
    if get_origin(field.annotation) not in (dict, tuple):
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        problems.append(f"{name}: is no YAML or JSON. Write it like {{live_gift: secret}} or [one, two].")
        return None


def _no_such(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name}: no such setting. " + (f"Did you mean {near[0]}?" if near else "Remove it.")


def _explain(error: ErrorDetails) -> str:
    """One line: the setting, the value that was found and what to do. Secrets are not repeated."""
    path = tuple(str(part) for part in error["loc"])
    name, known = ".".join(path), variables()
    if error["type"] == "extra_forbidden":  # its value may be a secret under a misspelt name
        return _no_such(name, [".".join(setting) for setting, _ in known.values()])
    message = error["msg"].removeprefix("Value error, ")
    settings = [(variable, setting, field) for variable, (setting, field) in known.items()]
    found = next((each for each in settings if each[1] == path[: len(each[1])]), None)
    if found is None:  # of a whole section, or of the file
        return f"{name or CONFIG_VARIABLE}: {message}. Mend these settings together."
    variable, _, field = found
    secret = "Secret" in str(field.annotation) + str(field.metadata) or error["type"] == "login"
    shown = "(hidden)" if secret else repr(error["input"])[:100]
    return f"{name} ({variable}) = {shown}: {message}. It is: {field.description}."
