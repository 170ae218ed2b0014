from services.core.events import turn_pb2 as _turn_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChatRequest(_message.Message):
    __slots__ = ("turn", "history")
    TURN_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    turn: _turn_pb2.Turn
    history: _containers.RepeatedCompositeFieldContainer[HistoryLine]
    def __init__(self, turn: _Optional[_Union[_turn_pb2.Turn, _Mapping]] = ..., history: _Optional[_Iterable[_Union[HistoryLine, _Mapping]]] = ...) -> None: ...

class HistoryLine(_message.Message):
    __slots__ = ("speaker", "viewer_id", "text")
    class Speaker(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SPEAKER_UNSPECIFIED: _ClassVar[HistoryLine.Speaker]
        SPEAKER_VIEWER: _ClassVar[HistoryLine.Speaker]
        SPEAKER_LYDIA: _ClassVar[HistoryLine.Speaker]
    SPEAKER_UNSPECIFIED: HistoryLine.Speaker
    SPEAKER_VIEWER: HistoryLine.Speaker
    SPEAKER_LYDIA: HistoryLine.Speaker
    SPEAKER_FIELD_NUMBER: _ClassVar[int]
    VIEWER_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    speaker: HistoryLine.Speaker
    viewer_id: str
    text: str
    def __init__(self, speaker: _Optional[_Union[HistoryLine.Speaker, str]] = ..., viewer_id: _Optional[str] = ..., text: _Optional[str] = ...) -> None: ...
