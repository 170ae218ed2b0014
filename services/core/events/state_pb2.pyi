from services.core.events import audience_pb2 as _audience_pb2
from services.core.events import control_pb2 as _control_pb2
from services.core.events import turn_pb2 as _turn_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PendingEvent(_message.Message):
    __slots__ = ("event", "traceparent", "arrived_at_ms", "order", "attempt", "not_before_ms", "approved")
    EVENT_FIELD_NUMBER: _ClassVar[int]
    TRACEPARENT_FIELD_NUMBER: _ClassVar[int]
    ARRIVED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    ORDER_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    NOT_BEFORE_MS_FIELD_NUMBER: _ClassVar[int]
    APPROVED_FIELD_NUMBER: _ClassVar[int]
    event: _audience_pb2.AudienceEvent
    traceparent: str
    arrived_at_ms: int
    order: int
    attempt: int
    not_before_ms: int
    approved: bool
    def __init__(self, event: _Optional[_Union[_audience_pb2.AudienceEvent, _Mapping]] = ..., traceparent: _Optional[str] = ..., arrived_at_ms: _Optional[int] = ..., order: _Optional[int] = ..., attempt: _Optional[int] = ..., not_before_ms: _Optional[int] = ..., approved: _Optional[bool] = ...) -> None: ...

class FloorState(_message.Message):
    __slots__ = ("turn", "phase", "heard_segments", "skipped")
    class Phase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        PHASE_UNSPECIFIED: _ClassVar[FloorState.Phase]
        PHASE_OPEN: _ClassVar[FloorState.Phase]
        PHASE_SPEAKING: _ClassVar[FloorState.Phase]
        PHASE_ENDING: _ClassVar[FloorState.Phase]
    PHASE_UNSPECIFIED: FloorState.Phase
    PHASE_OPEN: FloorState.Phase
    PHASE_SPEAKING: FloorState.Phase
    PHASE_ENDING: FloorState.Phase
    TURN_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    HEARD_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    SKIPPED_FIELD_NUMBER: _ClassVar[int]
    turn: _turn_pb2.Turn
    phase: FloorState.Phase
    heard_segments: int
    skipped: bool
    def __init__(self, turn: _Optional[_Union[_turn_pb2.Turn, _Mapping]] = ..., phase: _Optional[_Union[FloorState.Phase, str]] = ..., heard_segments: _Optional[int] = ..., skipped: _Optional[bool] = ...) -> None: ...

class ViewerState(_message.Message):
    __slots__ = ("viewer_id", "answered_at_ms", "given_fen")
    VIEWER_ID_FIELD_NUMBER: _ClassVar[int]
    ANSWERED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    GIVEN_FEN_FIELD_NUMBER: _ClassVar[int]
    viewer_id: str
    answered_at_ms: int
    given_fen: int
    def __init__(self, viewer_id: _Optional[str] = ..., answered_at_ms: _Optional[int] = ..., given_fen: _Optional[int] = ...) -> None: ...

class ShowState(_message.Message):
    __slots__ = ("floor", "epoch", "mode", "muted", "panic", "says", "control_ids", "withdrawn", "rundown_index", "idle_streak", "quiet_since_ms", "wrote_at_ms", "remarked_at_ms", "viewers", "next_order", "given_up")
    FLOOR_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    MUTED_FIELD_NUMBER: _ClassVar[int]
    PANIC_FIELD_NUMBER: _ClassVar[int]
    SAYS_FIELD_NUMBER: _ClassVar[int]
    CONTROL_IDS_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    RUNDOWN_INDEX_FIELD_NUMBER: _ClassVar[int]
    IDLE_STREAK_FIELD_NUMBER: _ClassVar[int]
    QUIET_SINCE_MS_FIELD_NUMBER: _ClassVar[int]
    WROTE_AT_MS_FIELD_NUMBER: _ClassVar[int]
    REMARKED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    VIEWERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_ORDER_FIELD_NUMBER: _ClassVar[int]
    GIVEN_UP_FIELD_NUMBER: _ClassVar[int]
    floor: FloorState
    epoch: int
    mode: _control_pb2.Mode
    muted: bool
    panic: bool
    says: _containers.RepeatedCompositeFieldContainer[_control_pb2.Control]
    control_ids: _containers.RepeatedScalarFieldContainer[str]
    withdrawn: _containers.RepeatedScalarFieldContainer[str]
    rundown_index: int
    idle_streak: int
    quiet_since_ms: int
    wrote_at_ms: int
    remarked_at_ms: int
    viewers: _containers.RepeatedCompositeFieldContainer[ViewerState]
    next_order: int
    given_up: FloorState
    def __init__(self, floor: _Optional[_Union[FloorState, _Mapping]] = ..., epoch: _Optional[int] = ..., mode: _Optional[_Union[_control_pb2.Mode, str]] = ..., muted: _Optional[bool] = ..., panic: _Optional[bool] = ..., says: _Optional[_Iterable[_Union[_control_pb2.Control, _Mapping]]] = ..., control_ids: _Optional[_Iterable[str]] = ..., withdrawn: _Optional[_Iterable[str]] = ..., rundown_index: _Optional[int] = ..., idle_streak: _Optional[int] = ..., quiet_since_ms: _Optional[int] = ..., wrote_at_ms: _Optional[int] = ..., remarked_at_ms: _Optional[int] = ..., viewers: _Optional[_Iterable[_Union[ViewerState, _Mapping]]] = ..., next_order: _Optional[int] = ..., given_up: _Optional[_Union[FloorState, _Mapping]] = ...) -> None: ...

class RoomSnapshot(_message.Message):
    __slots__ = ("show", "pending")
    SHOW_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    show: ShowState
    pending: _containers.RepeatedCompositeFieldContainer[PendingEvent]
    def __init__(self, show: _Optional[_Union[ShowState, _Mapping]] = ..., pending: _Optional[_Iterable[_Union[PendingEvent, _Mapping]]] = ...) -> None: ...

class Outbox(_message.Message):
    __slots__ = ("entries",)
    class Entry(_message.Message):
        __slots__ = ("topic", "value", "headers")
        class HeadersEntry(_message.Message):
            __slots__ = ("key", "value")
            KEY_FIELD_NUMBER: _ClassVar[int]
            VALUE_FIELD_NUMBER: _ClassVar[int]
            key: str
            value: str
            def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
        TOPIC_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        HEADERS_FIELD_NUMBER: _ClassVar[int]
        topic: str
        value: bytes
        headers: _containers.ScalarMap[str, str]
        def __init__(self, topic: _Optional[str] = ..., value: _Optional[bytes] = ..., headers: _Optional[_Mapping[str, str]] = ...) -> None: ...
    ENTRIES_FIELD_NUMBER: _ClassVar[int]
    entries: _containers.RepeatedCompositeFieldContainer[Outbox.Entry]
    def __init__(self, entries: _Optional[_Iterable[_Union[Outbox.Entry, _Mapping]]] = ...) -> None: ...
