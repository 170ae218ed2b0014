from services.core.events import text_pb2 as _text_pb2
from services.core.events import turn_pb2 as _turn_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VoiceChunk(_message.Message):
    __slots__ = ("room_id", "turn_id", "epoch", "sequence", "segment", "sample_rate", "start_sample", "pcm_s16le", "phonemes", "text", "emotion", "intensity", "gesture", "last_of_segment", "last", "rung", "segment_start_sample", "words_rung", "turn")
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    SAMPLE_RATE_FIELD_NUMBER: _ClassVar[int]
    START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    PCM_S16LE_FIELD_NUMBER: _ClassVar[int]
    PHONEMES_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    EMOTION_FIELD_NUMBER: _ClassVar[int]
    INTENSITY_FIELD_NUMBER: _ClassVar[int]
    GESTURE_FIELD_NUMBER: _ClassVar[int]
    LAST_OF_SEGMENT_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    SEGMENT_START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    WORDS_RUNG_FIELD_NUMBER: _ClassVar[int]
    TURN_FIELD_NUMBER: _ClassVar[int]
    room_id: str
    turn_id: str
    epoch: int
    sequence: int
    segment: int
    sample_rate: int
    start_sample: int
    pcm_s16le: bytes
    phonemes: _containers.RepeatedCompositeFieldContainer[Phoneme]
    text: str
    emotion: _text_pb2.Emotion
    intensity: float
    gesture: _text_pb2.Gesture
    last_of_segment: bool
    last: bool
    rung: str
    segment_start_sample: int
    words_rung: str
    turn: _turn_pb2.Turn
    def __init__(self, room_id: _Optional[str] = ..., turn_id: _Optional[str] = ..., epoch: _Optional[int] = ..., sequence: _Optional[int] = ..., segment: _Optional[int] = ..., sample_rate: _Optional[int] = ..., start_sample: _Optional[int] = ..., pcm_s16le: _Optional[bytes] = ..., phonemes: _Optional[_Iterable[_Union[Phoneme, _Mapping]]] = ..., text: _Optional[str] = ..., emotion: _Optional[_Union[_text_pb2.Emotion, str]] = ..., intensity: _Optional[float] = ..., gesture: _Optional[_Union[_text_pb2.Gesture, str]] = ..., last_of_segment: _Optional[bool] = ..., last: _Optional[bool] = ..., rung: _Optional[str] = ..., segment_start_sample: _Optional[int] = ..., words_rung: _Optional[str] = ..., turn: _Optional[_Union[_turn_pb2.Turn, _Mapping]] = ...) -> None: ...

class Phoneme(_message.Message):
    __slots__ = ("ipa", "start_sample", "end_sample", "stress")
    IPA_FIELD_NUMBER: _ClassVar[int]
    START_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    END_SAMPLE_FIELD_NUMBER: _ClassVar[int]
    STRESS_FIELD_NUMBER: _ClassVar[int]
    ipa: str
    start_sample: int
    end_sample: int
    stress: int
    def __init__(self, ipa: _Optional[str] = ..., start_sample: _Optional[int] = ..., end_sample: _Optional[int] = ..., stress: _Optional[int] = ...) -> None: ...
