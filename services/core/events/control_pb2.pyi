from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Mode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODE_UNSPECIFIED: _ClassVar[Mode]
    MODE_AUTO: _ClassVar[Mode]
    MODE_APPROVE: _ClassVar[Mode]
    MODE_TAKEOVER: _ClassVar[Mode]
MODE_UNSPECIFIED: Mode
MODE_AUTO: Mode
MODE_APPROVE: Mode
MODE_TAKEOVER: Mode

class Control(_message.Message):
    __slots__ = ("control_id", "room_id", "epoch", "at_ms", "issued_by", "stop", "supersede", "skip", "say", "mute", "panic", "set_mode", "approve", "withdraw", "presence")
    CONTROL_ID_FIELD_NUMBER: _ClassVar[int]
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    ISSUED_BY_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    SUPERSEDE_FIELD_NUMBER: _ClassVar[int]
    SKIP_FIELD_NUMBER: _ClassVar[int]
    SAY_FIELD_NUMBER: _ClassVar[int]
    MUTE_FIELD_NUMBER: _ClassVar[int]
    PANIC_FIELD_NUMBER: _ClassVar[int]
    SET_MODE_FIELD_NUMBER: _ClassVar[int]
    APPROVE_FIELD_NUMBER: _ClassVar[int]
    WITHDRAW_FIELD_NUMBER: _ClassVar[int]
    PRESENCE_FIELD_NUMBER: _ClassVar[int]
    control_id: str
    room_id: str
    epoch: int
    at_ms: int
    issued_by: str
    stop: Stop
    supersede: Supersede
    skip: Skip
    say: Say
    mute: Mute
    panic: Panic
    set_mode: SetMode
    approve: Approve
    withdraw: Withdraw
    presence: Presence
    def __init__(self, control_id: _Optional[str] = ..., room_id: _Optional[str] = ..., epoch: _Optional[int] = ..., at_ms: _Optional[int] = ..., issued_by: _Optional[str] = ..., stop: _Optional[_Union[Stop, _Mapping]] = ..., supersede: _Optional[_Union[Supersede, _Mapping]] = ..., skip: _Optional[_Union[Skip, _Mapping]] = ..., say: _Optional[_Union[Say, _Mapping]] = ..., mute: _Optional[_Union[Mute, _Mapping]] = ..., panic: _Optional[_Union[Panic, _Mapping]] = ..., set_mode: _Optional[_Union[SetMode, _Mapping]] = ..., approve: _Optional[_Union[Approve, _Mapping]] = ..., withdraw: _Optional[_Union[Withdraw, _Mapping]] = ..., presence: _Optional[_Union[Presence, _Mapping]] = ...) -> None: ...

class Stop(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class Supersede(_message.Message):
    __slots__ = ("turn_id",)
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    def __init__(self, turn_id: _Optional[str] = ...) -> None: ...

class Skip(_message.Message):
    __slots__ = ("event_id", "turn_id")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    turn_id: str
    def __init__(self, event_id: _Optional[str] = ..., turn_id: _Optional[str] = ...) -> None: ...

class Say(_message.Message):
    __slots__ = ("text", "attempt")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    text: str
    attempt: int
    def __init__(self, text: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class Mute(_message.Message):
    __slots__ = ("muted",)
    MUTED_FIELD_NUMBER: _ClassVar[int]
    muted: bool
    def __init__(self, muted: _Optional[bool] = ...) -> None: ...

class Panic(_message.Message):
    __slots__ = ("released",)
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    released: bool
    def __init__(self, released: _Optional[bool] = ...) -> None: ...

class SetMode(_message.Message):
    __slots__ = ("mode",)
    MODE_FIELD_NUMBER: _ClassVar[int]
    mode: Mode
    def __init__(self, mode: _Optional[_Union[Mode, str]] = ...) -> None: ...

class Approve(_message.Message):
    __slots__ = ("event_id",)
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    def __init__(self, event_id: _Optional[str] = ...) -> None: ...

class Withdraw(_message.Message):
    __slots__ = ("message_ids",)
    MESSAGE_IDS_FIELD_NUMBER: _ClassVar[int]
    message_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, message_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Presence(_message.Message):
    __slots__ = ("renderers", "opened")
    RENDERERS_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    renderers: int
    opened: bool
    def __init__(self, renderers: _Optional[int] = ..., opened: _Optional[bool] = ...) -> None: ...
