from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AudienceEvent(_message.Message):
    __slots__ = ("event_id", "room_id", "platform", "transport", "message_id", "occurred_at_ms", "received_at_ms", "viewer", "test", "chat", "gift", "like", "follow", "enter", "fans_club", "share", "super_chat")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    ROOM_ID_FIELD_NUMBER: _ClassVar[int]
    PLATFORM_FIELD_NUMBER: _ClassVar[int]
    TRANSPORT_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_ID_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_MS_FIELD_NUMBER: _ClassVar[int]
    VIEWER_FIELD_NUMBER: _ClassVar[int]
    TEST_FIELD_NUMBER: _ClassVar[int]
    CHAT_FIELD_NUMBER: _ClassVar[int]
    GIFT_FIELD_NUMBER: _ClassVar[int]
    LIKE_FIELD_NUMBER: _ClassVar[int]
    FOLLOW_FIELD_NUMBER: _ClassVar[int]
    ENTER_FIELD_NUMBER: _ClassVar[int]
    FANS_CLUB_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    SUPER_CHAT_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    room_id: str
    platform: str
    transport: str
    message_id: str
    occurred_at_ms: int
    received_at_ms: int
    viewer: Viewer
    test: bool
    chat: Chat
    gift: Gift
    like: Like
    follow: Follow
    enter: Enter
    fans_club: FansClub
    share: Share
    super_chat: SuperChat
    def __init__(self, event_id: _Optional[str] = ..., room_id: _Optional[str] = ..., platform: _Optional[str] = ..., transport: _Optional[str] = ..., message_id: _Optional[str] = ..., occurred_at_ms: _Optional[int] = ..., received_at_ms: _Optional[int] = ..., viewer: _Optional[_Union[Viewer, _Mapping]] = ..., test: _Optional[bool] = ..., chat: _Optional[_Union[Chat, _Mapping]] = ..., gift: _Optional[_Union[Gift, _Mapping]] = ..., like: _Optional[_Union[Like, _Mapping]] = ..., follow: _Optional[_Union[Follow, _Mapping]] = ..., enter: _Optional[_Union[Enter, _Mapping]] = ..., fans_club: _Optional[_Union[FansClub, _Mapping]] = ..., share: _Optional[_Union[Share, _Mapping]] = ..., super_chat: _Optional[_Union[SuperChat, _Mapping]] = ...) -> None: ...

class Viewer(_message.Message):
    __slots__ = ("id", "name", "avatar_url", "level", "fans_club_level", "is_moderator", "is_anchor")
    ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    AVATAR_URL_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    FANS_CLUB_LEVEL_FIELD_NUMBER: _ClassVar[int]
    IS_MODERATOR_FIELD_NUMBER: _ClassVar[int]
    IS_ANCHOR_FIELD_NUMBER: _ClassVar[int]
    id: str
    name: str
    avatar_url: str
    level: int
    fans_club_level: int
    is_moderator: bool
    is_anchor: bool
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., avatar_url: _Optional[str] = ..., level: _Optional[int] = ..., fans_club_level: _Optional[int] = ..., is_moderator: _Optional[bool] = ..., is_anchor: _Optional[bool] = ...) -> None: ...

class Chat(_message.Message):
    __slots__ = ("text",)
    TEXT_FIELD_NUMBER: _ClassVar[int]
    text: str
    def __init__(self, text: _Optional[str] = ...) -> None: ...

class Gift(_message.Message):
    __slots__ = ("gift_id", "name", "count", "value_fen", "combo_id", "receiver_id")
    GIFT_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FEN_FIELD_NUMBER: _ClassVar[int]
    COMBO_ID_FIELD_NUMBER: _ClassVar[int]
    RECEIVER_ID_FIELD_NUMBER: _ClassVar[int]
    gift_id: str
    name: str
    count: int
    value_fen: int
    combo_id: str
    receiver_id: str
    def __init__(self, gift_id: _Optional[str] = ..., name: _Optional[str] = ..., count: _Optional[int] = ..., value_fen: _Optional[int] = ..., combo_id: _Optional[str] = ..., receiver_id: _Optional[str] = ...) -> None: ...

class Like(_message.Message):
    __slots__ = ("count",)
    COUNT_FIELD_NUMBER: _ClassVar[int]
    count: int
    def __init__(self, count: _Optional[int] = ...) -> None: ...

class Follow(_message.Message):
    __slots__ = ("action",)
    class Action(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ACTION_UNSPECIFIED: _ClassVar[Follow.Action]
        ACTION_FOLLOWED: _ClassVar[Follow.Action]
        ACTION_UNFOLLOWED: _ClassVar[Follow.Action]
        ACTION_FOLLOWED_BACK: _ClassVar[Follow.Action]
    ACTION_UNSPECIFIED: Follow.Action
    ACTION_FOLLOWED: Follow.Action
    ACTION_UNFOLLOWED: Follow.Action
    ACTION_FOLLOWED_BACK: Follow.Action
    ACTION_FIELD_NUMBER: _ClassVar[int]
    action: Follow.Action
    def __init__(self, action: _Optional[_Union[Follow.Action, str]] = ...) -> None: ...

class Enter(_message.Message):
    __slots__ = ("left",)
    LEFT_FIELD_NUMBER: _ClassVar[int]
    left: bool
    def __init__(self, left: _Optional[bool] = ...) -> None: ...

class FansClub(_message.Message):
    __slots__ = ("reason", "level")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[FansClub.Reason]
        REASON_LEVEL_UP: _ClassVar[FansClub.Reason]
        REASON_JOINED: _ClassVar[FansClub.Reason]
        REASON_LEFT: _ClassVar[FansClub.Reason]
    REASON_UNSPECIFIED: FansClub.Reason
    REASON_LEVEL_UP: FansClub.Reason
    REASON_JOINED: FansClub.Reason
    REASON_LEFT: FansClub.Reason
    REASON_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    reason: FansClub.Reason
    level: int
    def __init__(self, reason: _Optional[_Union[FansClub.Reason, str]] = ..., level: _Optional[int] = ...) -> None: ...

class Share(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class SuperChat(_message.Message):
    __slots__ = ("text", "value_fen", "shown_s")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FEN_FIELD_NUMBER: _ClassVar[int]
    SHOWN_S_FIELD_NUMBER: _ClassVar[int]
    text: str
    value_fen: int
    shown_s: int
    def __init__(self, text: _Optional[str] = ..., value_fen: _Optional[int] = ..., shown_s: _Optional[int] = ...) -> None: ...
