from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Performed(_message.Message):
    __slots__ = ("performed_id", "room_id", "turn_id", "epoch", "state", "heard_samples", "heard_segments", "heard_text", "at_ms", "reason")
    class State(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        STATE_UNSPECIFIED: _ClassVar[Performed.State]
        STATE_STARTED: _ClassVar[Performed.State]
        STATE_HEARD: _ClassVar[Performed.State]
        STATE_FINISHED: _ClassVar[Performed.State]
        STATE_STOPPED: _ClassVar[Performed.State]
        STATE_FAILED: _ClassVar[Performed.State]
    STATE_UNSPECIFIED: Performed.State
    STATE_STARTED: Performed.State
    STATE_HEARD: Performed.State
    STATE_FINISHED: Performed.State
    STATE_STOPPED: Performed.State
    STATE_FAILED: Performed.State
    PERFORMED_ID_FIELD_NUMBER: _ClassVar[int]
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    HEARD_SAMPLES_FIELD_NUMBER: _ClassVar[int]
    HEARD_SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    HEARD_TEXT_FIELD_NUMBER: _ClassVar[int]
    AT_MS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    performed_id: str
    room_id: str
    turn_id: str
    epoch: int
    state: Performed.State
    heard_samples: int
    heard_segments: int
    heard_text: str
    at_ms: int
    reason: str
    def __init__(self, performed_id: _Optional[str] = ..., room_id: _Optional[str] = ..., turn_id: _Optional[str] = ..., epoch: _Optional[int] = ..., state: _Optional[_Union[Performed.State, str]] = ..., heard_samples: _Optional[int] = ..., heard_segments: _Optional[int] = ..., heard_text: _Optional[str] = ..., at_ms: _Optional[int] = ..., reason: _Optional[str] = ...) -> None: ...
