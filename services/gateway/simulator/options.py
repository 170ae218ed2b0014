"""How the simulated platform is set up, and which of its faults are on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from services.gateway.douyin_items import DOCUMENTED, ENTER, FOLLOW

Share = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=60)]


class Faults(BaseModel):
    """What goes wrong on purpose. Everything here can be changed while the simulator runs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    duplicates: Share = Field(0, description="share of items that come a second time with the same msg_id")
    reorder_s: Seconds = Field(0, description="items are held back by up to this, each differently")
    loss: Share = Field(0, description="share of comments and likes that never come")
    seconds: bool = Field(False, description="item time stamps in seconds instead of milliseconds")
    like_text: bool = Field(False, description="like_num as text")
    bad_signature: Share = Field(0, description="share of pushes with a wrong signature")
    malformed: Share = Field(0, description="share of pushes with senseless items among the good ones")
    cut: Share = Field(0, description="share of pushes whose JSON ends in the middle")
    slow_s: Seconds = Field(0, description="the body of a push takes this long to arrive")
    past_end: Literal["empty", "10001", "10011"] = Field(
        "empty", description="how a page of failed data after the last is answered: empty, or with this error"
    )
    system_errors: Share = Field(0, description="share of calls answered with the platform's internal error")
    route: Literal["webhook", "pipe", "both"] = Field("webhook", description="how events go: webhook, pipe or both")


@dataclass(frozen=True, slots=True)
class Options:
    """One app, one room and their callback. Times in seconds."""

    target: str = "http://127.0.0.1:8080/platforms/douyin/push"
    """Where events are pushed to."""
    host: str = "127.0.0.1"
    port: int = 8090
    pipe_port: int | None = None
    """Lydia's port for the plugin's events, for the routes "pipe" and "both"."""
    app_id: str = "tt00000000simulator"
    app_secret: str = "simulated-app-secret"  # noqa: S105
    push_secrets: Mapping[str, str] = field(
        default_factory=lambda: {name: f"simulated-secret-{name}" for name in (*DOCUMENTED, FOLLOW, ENTER)}
    )
    room_id: str = "1214015683695250235"
    """19 digits that begin with 1, as in the platform's self-test; an int64 that a float cannot hold."""
    launch_token: str = "simulated-launch-token"  # noqa: S105
    seed: int = 2112
    profile: str = "normal"
    keywords: tuple[str, ...] = ("Lydia", "你好", "唱", "hello", "?", "？")
    """Only comments that hold one of these are pushed, unless `unfiltered`."""
    unfiltered: bool = False
    batch: int = 50
    """Items of one push at most."""
    batch_every_s: float = 0.2
    breaker_s: float = 10.0
    """How long data is discarded after ten failures; the platform says no more than "some seconds"."""
    faults: Faults = field(default_factory=Faults)

    def __post_init__(self) -> None:
        """Raises ValueError with what is wrong."""
        target = urlsplit(self.target)
        if target.scheme not in ("http", "https") or not target.hostname:
            raise ValueError("target must be an address like http://127.0.0.1:8080/platforms/douyin/push")
        if not (self.room_id.isascii() and self.room_id.isdecimal() and 0 < int(self.room_id) < 2**63):
            raise ValueError("room-id must be digits, as the platform's are: a number from 1 to 2^63 - 1")
        for name, port in (("port", self.port), ("pipe-port", self.pipe_port)):
            if port is not None and not 0 < port < 65_536:
                raise ValueError(f"{name} must be from 1 to 65535")
        if not 1 <= self.batch <= 10_000:
            raise ValueError("batch must be from 1 to 10000")
        if not 0 <= self.breaker_s <= 3600:
            raise ValueError("breaker-s must be from 0 to 3600 seconds")
        if not all(self.keywords):
            raise ValueError("keyword must not be empty; use unfiltered to let every comment pass")
        self.check(self.faults)

    def check(self, faults: Faults) -> None:
        """Raises ValueError for faults that this simulator cannot have."""
        if faults.route != "webhook" and self.pipe_port is None:
            raise ValueError(f"fault route={faults.route} needs pipe-port: where Lydia takes the plugin's events")
