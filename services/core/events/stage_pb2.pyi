from services.core.events import control_pb2 as _control_pb2
from services.core.events import motion_pb2 as _motion_pb2
from services.core.events import text_pb2 as _text_pb2
from services.core.events import turn_pb2 as _turn_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StageFrame(_message.Message):
    __slots__ = ("sequence", "now_sample", "hello", "voice", "motion", "caption", "stop", "decision", "status", "performing")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    NOW_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    HELLO_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    MOTION_FIELD_NUMBER: _ClassVar[int]
    CAPTION_FIELD_NUMBER: _ClassVar[int]
    STOP_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    PERFORMING_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    now_sample: int
    hello: Hello
    voice: StageVoice
    motion: StageMotion
    caption: Caption
    stop: StageStop
    decision: _turn_pb2.Decision
    status: RoomStatus
    performing: Performing
    def __init__(self, sequence: _Optional[int] = ..., now_sample: _Optional[int] = ..., hello: _Optional[_Union[Hello, _Mapping]] = ..., voice: _Optional[_Union[StageVoice, _Mapping]] = ..., motion: _Optional[_Union[StageMotion, _Mapping]] = ..., caption: _Optional[_Union[Caption, _Mapping]] = ..., stop: _Optional[_Union[StageStop, _Mapping]] = ..., decision: _Optional[_Union[_turn_pb2.Decision, _Mapping]] = ..., status: _Optional[_Union[RoomStatus, _Mapping]] = ..., performing: _Optional[_Union[Performing, _Mapping]] = ...) -> None: ...

class Hello(_message.Message):
    __slots__ = ("room_id", "sample_rate", "frame_rate", "face_names", "joints", "label", "lead_ms", "status")
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    FRAME_RATE_FIELD_NUMBER: _ClassVar[int]
    FACE_NAMES_FIELD_NUMBER: _ClassVar[int]
    JOINTS_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    LEAD_MS_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    room_id: str
    sample_rate: int
    frame_rate: int
    face_names: _containers.RepeatedScalarFieldContainer[str]
    joints: _containers.RepeatedScalarFieldContainer[_motion_pb2.Joint]
    label: str
    lead_ms: int
    status: RoomStatus
    def __init__(self, room_id: _Optional[str] = ..., sample_rate: _Optional[int] = ..., frame_rate: _Optional[int] = ..., face_names: _Optional[_Iterable[str]] = ..., joints: _Optional[_Iterable[_Union[_motion_pb2.Joint, str]]] = ..., label: _Optional[str] = ..., lead_ms: _Optional[int] = ..., status: _Optional[_Union[RoomStatus, _Mapping]] = ...) -> None: ...

class StageVoice(_message.Message):
    __slots__ = ("turn_id", "epoch", "sequence", "start_sample", "pcm_s16le", "last")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    PCM_S16LE_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    epoch: int
    sequence: int
    start_sample: int
    pcm_s16le: bytes
    last: bool
    def __init__(self, turn_id: _Optional[str] = ..., epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., start_sample: _Optional[int] = ..., pcm_s16le: _Optional[bytes] = ..., last: _Optional[bool] = ...) -> None: ...

class StageMotion(_message.Message):
    __slots__ = ("start_sample", "frame_count", "face_f32le", "joints_f32le", "epoch")
    START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    FACE_F32LE_FIELD_NUMBER: _ClassVar[int]
    JOINTS_F32LE_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    start_sample: int
    frame_count: int
    face_f32le: bytes
    joints_f32le: bytes
    epoch: int
    def __init__(self, start_sample: _Optional[int] = ..., frame_count: _Optional[int] = ..., face_f32le: _Optional[bytes] = ..., joints_f32le: _Optional[bytes] = ..., epoch: _Optional[int] = ...) -> None: ...

class Caption(_message.Message):
    __slots__ = ("turn_id", "epoch", "segment", "text", "start_sample", "end_sample", "emotion", "intensity", "gesture")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    END_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    EMOTION_FIELD_NUMBER: _ClassVar[int]
    INTENSITY_FIELD_NUMBER: _ClassVar[int]
    GESTURE_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    epoch: int
    segment: int
    text: str
    start_sample: int
    end_sample: int
    emotion: _text_pb2.Emotion
    intensity: float
    gesture: _text_pb2.Gesture
    def __init__(self, turn_id: _Optional[str] = ..., epoch: _Optional[int] = ..., segment: _Optional[int] = ..., text: _Optional[str] = ..., start_sample: _Optional[int] = ..., end_sample: _Optional[int] = ..., emotion: _Optional[_Union[_text_pb2.Emotion, str]] = ..., intensity: _Optional[float] = ..., gesture: _Optional[_Union[_text_pb2.Gesture, str]] = ...) -> None: ...

class StageStop(_message.Message):
    __slots__ = ("epoch", "at_sample", "fade_ms")
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    AT_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    FADE_MS_FIELD_NUMBER: _ClassVar[int]
    epoch: int
    at_sample: int
    fade_ms: int
    def __init__(self, epoch: _Optional[int] = ..., at_sample: _Optional[int] = ..., fade_ms: _Optional[int] = ...) -> None: ...

class Performing(_message.Message):
    __slots__ = ("turn", "start_sample", "speaking")
    TURN_FIELD_NUMBER: _ClassVar[int]
    START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    SPEAKING_FIELD_NUMBER: _ClassVar[int]
    turn: _turn_pb2.Turn
    start_sample: int
    speaking: bool
    def __init__(self, turn: _Optional[_Union[_turn_pb2.Turn, _Mapping]] = ..., start_sample: _Optional[int] = ..., speaking: _Optional[bool] = ...) -> None: ...

class RoomStatus(_message.Message):
    __slots__ = ("mode", "muted", "panic", "epoch", "chat_rung", "speech_rung", "motion_rung", "renderers", "says")
    MODE_FIELD_NUMBER: _ClassVar[int]
    MUTED_FIELD_NUMBER: _ClassVar[int]
    PANIC_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    CHAT_RUNG_FIELD_NUMBER: _ClassVar[int]
    SPEECH_RUNG_FIELD_NUMBER: _ClassVar[int]
    MOTION_RUNG_FIELD_NUMBER: _ClassVar[int]
    RENDERERS_FIELD_NUMBER: _ClassVar[int]
    SAYS_FIELD_NUMBER: _ClassVar[int]
    mode: _control_pb2.Mode
    muted: bool
    panic: bool
    epoch: int
    chat_rung: str
    speech_rung: str
    motion_rung: str
    renderers: int
    says: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, mode: _Optional[_Union[_control_pb2.Mode, str]] = ..., muted: _Optional[bool] = ..., panic: _Optional[bool] = ..., epoch: _Optional[int] = ..., chat_rung: _Optional[str] = ..., speech_rung: _Optional[str] = ..., motion_rung: _Optional[str] = ..., renderers: _Optional[int] = ..., says: _Optional[_Iterable[str]] = ...) -> None: ...
