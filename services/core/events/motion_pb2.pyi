from services.core.events import text_pb2 as _text_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Joint(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    JOINT_UNSPECIFIED: _ClassVar[Joint]
    JOINT_HIPS: _ClassVar[Joint]
    JOINT_SPINE: _ClassVar[Joint]
    JOINT_CHEST: _ClassVar[Joint]
    JOINT_UPPER_CHEST: _ClassVar[Joint]
    JOINT_NECK: _ClassVar[Joint]
    JOINT_HEAD: _ClassVar[Joint]
    JOINT_LEFT_SHOULDER: _ClassVar[Joint]
    JOINT_LEFT_UPPER_ARM: _ClassVar[Joint]
    JOINT_LEFT_LOWER_ARM: _ClassVar[Joint]
    JOINT_LEFT_HAND: _ClassVar[Joint]
    JOINT_RIGHT_SHOULDER: _ClassVar[Joint]
    JOINT_RIGHT_UPPER_ARM: _ClassVar[Joint]
    JOINT_RIGHT_LOWER_ARM: _ClassVar[Joint]
    JOINT_RIGHT_HAND: _ClassVar[Joint]
JOINT_UNSPECIFIED: Joint
JOINT_HIPS: Joint
JOINT_SPINE: Joint
JOINT_CHEST: Joint
JOINT_UPPER_CHEST: Joint
JOINT_NECK: Joint
JOINT_HEAD: Joint
JOINT_LEFT_SHOULDER: Joint
JOINT_LEFT_UPPER_ARM: Joint
JOINT_LEFT_LOWER_ARM: Joint
JOINT_LEFT_HAND: Joint
JOINT_RIGHT_SHOULDER: Joint
JOINT_RIGHT_UPPER_ARM: Joint
JOINT_RIGHT_LOWER_ARM: Joint
JOINT_RIGHT_HAND: Joint

class MotionChunk(_message.Message):
    __slots__ = ("room_id", "turn_id", "epoch", "sequence", "segment", "frame_rate", "start_sample", "frame_count", "face_f32le", "joints", "joints_f32le", "last", "rung", "emotion", "gesture")
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    FRAME_RATE_FIELD_NUMBER: _ClassVar[int]
    START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    FRAME_COUNT_FIELD_NUMBER: _ClassVar[int]
    FACE_F32LE_FIELD_NUMBER: _ClassVar[int]
    JOINTS_FIELD_NUMBER: _ClassVar[int]
    JOINTS_F32LE_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    EMOTION_FIELD_NUMBER: _ClassVar[int]
    GESTURE_FIELD_NUMBER: _ClassVar[int]
    room_id: str
    turn_id: str
    epoch: int
    sequence: int
    segment: int
    frame_rate: int
    start_sample: int
    frame_count: int
    face_f32le: bytes
    joints: _containers.RepeatedScalarFieldContainer[Joint]
    joints_f32le: bytes
    last: bool
    rung: str
    emotion: _text_pb2.Emotion
    gesture: _text_pb2.Gesture
    def __init__(self, room_id: _Optional[str] = ..., turn_id: _Optional[str] = ..., epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., segment: _Optional[int] = ..., frame_rate: _Optional[int] = ..., start_sample: _Optional[int] = ..., frame_count: _Optional[int] = ..., face_f32le: _Optional[bytes] = ..., joints: _Optional[_Iterable[_Union[Joint, str]]] = ..., joints_f32le: _Optional[bytes] = ..., last: _Optional[bool] = ..., rung: _Optional[str] = ..., emotion: _Optional[_Union[_text_pb2.Emotion, str]] = ..., gesture: _Optional[_Union[_text_pb2.Gesture, str]] = ...) -> None: ...
