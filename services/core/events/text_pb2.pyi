from services.core.events import turn_pb2 as _turn_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Emotion(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EMOTION_UNSPECIFIED: _ClassVar[Emotion]
    EMOTION_NEUTRAL: _ClassVar[Emotion]
    EMOTION_JOY: _ClassVar[Emotion]
    EMOTION_GRATEFUL: _ClassVar[Emotion]
    EMOTION_PLAYFUL: _ClassVar[Emotion]
    EMOTION_SHY: _ClassVar[Emotion]
    EMOTION_SURPRISED: _ClassVar[Emotion]
    EMOTION_SAD: _ClassVar[Emotion]
    EMOTION_SERIOUS: _ClassVar[Emotion]
    EMOTION_THINKING: _ClassVar[Emotion]

class Gesture(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GESTURE_UNSPECIFIED: _ClassVar[Gesture]
    GESTURE_NONE: _ClassVar[Gesture]
    GESTURE_WAVE: _ClassVar[Gesture]
    GESTURE_HEART: _ClassVar[Gesture]
    GESTURE_BOW: _ClassVar[Gesture]
    GESTURE_CLAP: _ClassVar[Gesture]
    GESTURE_SHY: _ClassVar[Gesture]
    GESTURE_LAUGH: _ClassVar[Gesture]
    GESTURE_THINK: _ClassVar[Gesture]
    GESTURE_POINT: _ClassVar[Gesture]
    GESTURE_DANCE: _ClassVar[Gesture]
    GESTURE_NOD: _ClassVar[Gesture]
    GESTURE_SHAKE_HEAD: _ClassVar[Gesture]
EMOTION_UNSPECIFIED: Emotion
EMOTION_NEUTRAL: Emotion
EMOTION_JOY: Emotion
EMOTION_GRATEFUL: Emotion
EMOTION_PLAYFUL: Emotion
EMOTION_SHY: Emotion
EMOTION_SURPRISED: Emotion
EMOTION_SAD: Emotion
EMOTION_SERIOUS: Emotion
EMOTION_THINKING: Emotion
GESTURE_UNSPECIFIED: Gesture
GESTURE_NONE: Gesture
GESTURE_WAVE: Gesture
GESTURE_HEART: Gesture
GESTURE_BOW: Gesture
GESTURE_CLAP: Gesture
GESTURE_SHY: Gesture
GESTURE_LAUGH: Gesture
GESTURE_THINK: Gesture
GESTURE_POINT: Gesture
GESTURE_DANCE: Gesture
GESTURE_NOD: Gesture
GESTURE_SHAKE_HEAD: Gesture

class TextSegment(_message.Message):
    __slots__ = ("room_id", "turn_id", "epoch", "sequence", "text", "emotion", "intensity", "gesture", "last", "lane", "rung", "emphasis", "language", "turn")
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EMOTION_FIELD_NUMBER: _ClassVar[int]
    INTENSITY_FIELD_NUMBER: _ClassVar[int]
    GESTURE_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    EMPHASIS_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    room_id: str
    turn_id: str
    epoch: int
    sequence: int
    text: str
    emotion: Emotion
    intensity: float
    gesture: Gesture
    last: bool
    lane: _turn_pb2.Lane
    rung: str
    emphasis: _containers.RepeatedCompositeFieldContainer[Emphasis]
    language: str
    turn: _turn_pb2.Turn
    def __init__(self, room_id: _Optional[str] = ..., turn_id: _Optional[str] = ..., epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., text: _Optional[str] = ..., emotion: _Optional[_Union[Emotion, str]] = ..., intensity: _Optional[float] = ..., gesture: _Optional[_Union[Gesture, str]] = ..., last: _Optional[bool] = ..., lane: _Optional[_Union[_turn_pb2.Lane, str]] = ..., rung: _Optional[str] = ..., emphasis: _Optional[_Iterable[_Union[Emphasis, _Mapping]]] = ..., language: _Optional[str] = ..., turn: _Optional[_Union[_turn_pb2.Turn, _Mapping]] = ...) -> None: ...

class Emphasis(_message.Message):
    __slots__ = ("begin", "end")
    BEGIN_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    begin: int
    end: int
    def __init__(self, begin: _Optional[int] = ..., end: _Optional[int] = ...) -> None: ...
