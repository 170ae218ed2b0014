from services.core.events import audience_pb2 as _audience_pb2
from services.core.events import control_pb2 as _control_pb2
from services.core.events import performed_pb2 as _performed_pb2
from services.core.events import state_pb2 as _state_pb2
from services.core.events import turn_pb2 as _turn_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class LogEntry(_message.Message):
    __slots__ = ("header", "step")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    header: LogHeader
    step: LogStep
    def __init__(self, header: _Optional[_Union[LogHeader, _Mapping]] = ..., step: _Optional[_Union[LogStep, _Mapping]] = ...) -> None: ...

class LogHeader(_message.Message):
    __slots__ = ("version", "room_id", "settings", "snapshot", "at_ms")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    SETTINGS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    version: int
    room_id: str
    settings: str
    snapshot: _state_pb2.RoomSnapshot
    at_ms: int
    def __init__(self, version: _Optional[int] = ..., room_id: _Optional[str] = ..., settings: _Optional[str] = ..., snapshot: _Optional[_Union[_state_pb2.RoomSnapshot, _Mapping]] = ..., at_ms: _Optional[int] = ...) -> None: ...

class LogStep(_message.Message):
    __slots__ = ("now_ms", "heard", "performed", "control", "tick", "epoch_taken", "controls", "turns", "decisions")
    NOW_MS_FIELD_NUMBER: _ClassVar[int]
    HEARD_FIELD_NUMBER: _ClassVar[int]
    PERFORMED_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    TICK_FIELD_NUMBER: _ClassVar[int]
    EPOCH_TAKEN_FIELD_NUMBER: _ClassVar[int]
    CONTROLS_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    now_ms: int
    heard: Heard
    performed: _performed_pb2.Performed
    control: _control_pb2.Control
    tick: Tick
    epoch_taken: EpochTaken
    controls: _containers.RepeatedCompositeFieldContainer[_control_pb2.Control]
    turns: _containers.RepeatedCompositeFieldContainer[_turn_pb2.Turn]
    decisions: _containers.RepeatedCompositeFieldContainer[_turn_pb2.Decision]
    def __init__(self, now_ms: _Optional[int] = ..., heard: _Optional[_Union[Heard, _Mapping]] = ..., performed: _Optional[_Union[_performed_pb2.Performed, _Mapping]] = ..., control: _Optional[_Union[_control_pb2.Control, _Mapping]] = ..., tick: _Optional[_Union[Tick, _Mapping]] = ..., epoch_taken: _Optional[_Union[EpochTaken, _Mapping]] = ..., controls: _Optional[_Iterable[_Union[_control_pb2.Control, _Mapping]]] = ..., turns: _Optional[_Iterable[_Union[_turn_pb2.Turn, _Mapping]]] = ..., decisions: _Optional[_Iterable[_Union[_turn_pb2.Decision, _Mapping]]] = ...) -> None: ...

class Heard(_message.Message):
    __slots__ = ("event", "traceparent", "refused_by", "repeated_delivery")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    REFUSED_BY_FIELD_NUMBER: _ClassVar[int]
    REPEATED_DELIVERY_FIELD_NUMBER: _ClassVar[int]
    event: _audience_pb2.AudienceEvent
    traceparent: str
    refused_by: str
    repeated_delivery: bool
    def __init__(self, event: _Optional[_Union[_audience_pb2.AudienceEvent, _Mapping]] = ..., traceparent: _Optional[str] = ..., refused_by: _Optional[str] = ..., repeated_delivery: _Optional[bool] = ...) -> None: ...

class Tick(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class EpochTaken(_message.Message):
    __slots__ = ("epoch",)
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    def __init__(self, epoch: _Optional[int] = ...) -> None: ...
