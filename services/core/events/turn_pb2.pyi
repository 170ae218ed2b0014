from services.core.events import audience_pb2 as _audience_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Lane(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    LANE_UNSPECIFIED: _ClassVar[Lane]
    LANE_PAID: _ClassVar[Lane]
    LANE_MODERATION: _ClassVar[Lane]
    LANE_CHAT: _ClassVar[Lane]
    LANE_AMBIENT: _ClassVar[Lane]
LANE_UNSPECIFIED: Lane
LANE_PAID: Lane
LANE_MODERATION: Lane
LANE_CHAT: Lane
LANE_AMBIENT: Lane

class Turn(_message.Message):
    __slots__ = ("turn_id", "room_id", "epoch", "lane", "opened_at_ms", "audience", "silence", "operator")
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    OPENED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    AUDIENCE_FIELD_NUMBER: _ClassVar[int]
    SILENCE_FIELD_NUMBER: _ClassVar[int]
    OPERATOR_FIELD_NUMBER: _ClassVar[int]
    turn_id: str
    room_id: str
    epoch: int
    lane: Lane
    opened_at_ms: int
    audience: AudienceCause
    silence: SilenceCause
    operator: OperatorCause
    def __init__(self, turn_id: _Optional[str] = ..., room_id: _Optional[str] = ..., epoch: _Optional[int] = ..., lane: _Optional[_Union[Lane, str]] = ..., opened_at_ms: _Optional[int] = ..., audience: _Optional[_Union[AudienceCause, _Mapping]] = ..., silence: _Optional[_Union[SilenceCause, _Mapping]] = ..., operator: _Optional[_Union[OperatorCause, _Mapping]] = ...) -> None: ...

class AudienceCause(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_audience_pb2.AudienceEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[_audience_pb2.AudienceEvent, _Mapping]]] = ...) -> None: ...

class SilenceCause(_message.Message):
    __slots__ = ("rundown_index", "quiet_ms")
    RUNDOWN_INDEX_FIELD_NUMBER: _ClassVar[int]
    QUIET_MS_FIELD_NUMBER: _ClassVar[int]
    rundown_index: int
    quiet_ms: int
    def __init__(self, rundown_index: _Optional[int] = ..., quiet_ms: _Optional[int] = ...) -> None: ...

class OperatorCause(_message.Message):
    __slots__ = ("text", "attempt")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    text: str
    attempt: int
    def __init__(self, text: _Optional[str] = ..., attempt: _Optional[int] = ...) -> None: ...

class Decision(_message.Message):
    __slots__ = ("decision_id", "room_id", "decided_at_ms", "event_id", "outcome", "reason", "lane", "score", "terms", "turn_id", "detail", "event")
    class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        OUTCOME_UNSPECIFIED: _ClassVar[Decision.Outcome]
        OUTCOME_WAITING: _ClassVar[Decision.Outcome]
        OUTCOME_CHOSEN: _ClassVar[Decision.Outcome]
        OUTCOME_MERGED: _ClassVar[Decision.Outcome]
        OUTCOME_DROPPED: _ClassVar[Decision.Outcome]
    OUTCOME_UNSPECIFIED: Decision.Outcome
    OUTCOME_WAITING: Decision.Outcome
    OUTCOME_CHOSEN: Decision.Outcome
    OUTCOME_MERGED: Decision.Outcome
    OUTCOME_DROPPED: Decision.Outcome
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Decision.Reason]
        REASON_BEST_SCORE: _ClassVar[Decision.Reason]
        REASON_PAID: _ClassVar[Decision.Reason]
        REASON_DUPLICATE: _ClassVar[Decision.Reason]
        REASON_NEAR_DUPLICATE: _ClassVar[Decision.Reason]
        REASON_EXPIRED: _ClassVar[Decision.Reason]
        REASON_QUEUE_FULL: _ClassVar[Decision.Reason]
        REASON_MODERATED: _ClassVar[Decision.Reason]
        REASON_SKIPPED: _ClassVar[Decision.Reason]
        REASON_WITHDRAWN: _ClassVar[Decision.Reason]
        REASON_NOT_SPEAKABLE: _ClassVar[Decision.Reason]
        REASON_HELD: _ClassVar[Decision.Reason]
        REASON_GATHERED: _ClassVar[Decision.Reason]
        REASON_FLOODING: _ClassVar[Decision.Reason]
        REASON_APPROVED: _ClassVar[Decision.Reason]
        REASON_NOT_PERFORMED: _ClassVar[Decision.Reason]
    REASON_UNSPECIFIED: Decision.Reason
    REASON_BEST_SCORE: Decision.Reason
    REASON_PAID: Decision.Reason
    REASON_DUPLICATE: Decision.Reason
    REASON_NEAR_DUPLICATE: Decision.Reason
    REASON_EXPIRED: Decision.Reason
    REASON_QUEUE_FULL: Decision.Reason
    REASON_MODERATED: Decision.Reason
    REASON_SKIPPED: Decision.Reason
    REASON_WITHDRAWN: Decision.Reason
    REASON_NOT_SPEAKABLE: Decision.Reason
    REASON_HELD: Decision.Reason
    REASON_GATHERED: Decision.Reason
    REASON_FLOODING: Decision.Reason
    REASON_APPROVED: Decision.Reason
    REASON_NOT_PERFORMED: Decision.Reason
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    DECIDED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    LANE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    TURN_ID_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    room_id: str
    decided_at_ms: int
    event_id: str
    outcome: Decision.Outcome
    reason: Decision.Reason
    lane: Lane
    score: float
    terms: _containers.RepeatedCompositeFieldContainer[ScoreTerm]
    turn_id: str
    detail: str
    event: _audience_pb2.AudienceEvent
    def __init__(self, decision_id: _Optional[str] = ..., room_id: _Optional[str] = ..., decided_at_ms: _Optional[int] = ..., event_id: _Optional[str] = ..., outcome: _Optional[_Union[Decision.Outcome, str]] = ..., reason: _Optional[_Union[Decision.Reason, str]] = ..., lane: _Optional[_Union[Lane, str]] = ..., score: _Optional[float] = ..., terms: _Optional[_Iterable[_Union[ScoreTerm, _Mapping]]] = ..., turn_id: _Optional[str] = ..., detail: _Optional[str] = ..., event: _Optional[_Union[_audience_pb2.AudienceEvent, _Mapping]] = ...) -> None: ...

class ScoreTerm(_message.Message):
    __slots__ = ("name", "value")
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: float
    def __init__(self, name: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
