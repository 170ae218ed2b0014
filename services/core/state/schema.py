"""Every key of the state: what it holds, who writes it, and after how long at most it ends.

`{room}` is a room's id. A writer renews the life whenever it writes. Nothing is read that is not here.

| key | holds | written by |
|---|---|---|
| `audience:rooms` | hash: rooms with something unfinished | audience |
| `room:{room}:lease` | counter: who holds the newest number decides for the room | audience |
| `room:{room}:held` | that a process has the room, which another may take up otherwise | audience |
| `room:{room}:show` | ShowState: what the director knows | audience, under the lease |
| `room:{room}:pending` | hash: event id → PendingEvent | audience, under the lease |
| `room:{room}:outbox` | Outbox: what was decided last and may not have been published | audience, under the lease |
| `room:{room}:seen:{event id}` | that the event was taken in | audience, under the lease |
| `room:{room}:epoch` | counter: the newest epoch given out | audience under the lease; stage |
| `room:{room}:chat-begun` | the turn that chat began last | chat |
| `room:{room}:history` | ChatRequest: the last lines as heard | chat |
| `room:{room}:heard` | Performed: the newest one | stage |
| `room:{room}:status` | RoomStatus: mode, muted, panic | stage |
| `room:{room}:gateway:{lane}` | how many events of a lane may still come, and since when | gateway |
| `room:{room}:douyin:push:{signature}` | that a push was taken, against repetition | gateway |
| `room:{room}:douyin:failed:{type}` | how far failed data was fetched | gateway |
| `douyin:{app}:token` | the platform's access token | gateway |
| `ready`, `ready:{service}` | nothing; written to see whether the server takes changes | health |

Bounded by that: per room twelve keys, and one for each event of the last hour (paid ones: of two days). The bus on
Redis has keys of its own, `bus:…`; `services.core.bus.redis_scripts` lists them, and they are bounded by each topic's
retention instead of by time.
"""

from __future__ import annotations

import re

from services.core.state.port import DAY_S

LONGEST_S = 7 * DAY_S

ENDS_WITHIN_S = {
    r"audience:rooms": LONGEST_S,
    r"room:[^:]+:(lease|epoch)": LONGEST_S,
    r"room:[^:]+:held": 30,
    r"room:[^:]+:(show|pending|outbox)": LONGEST_S,
    r"room:[^:]+:seen:[^:]+": 2 * DAY_S,
    r"room:[^:]+:(chat-begun|history)": 3_600,
    r"room:[^:]+:heard": DAY_S,
    r"room:[^:]+:status": LONGEST_S,
    r"room:[^:]+:gateway:(chat|ambient)": 10,  # at a slower rate than one in five seconds: until one is free again
    r"room:[^:]+:douyin:push:[^:]+": 7_200,
    r"room:[^:]+:douyin:failed:[^:]+": 2 * DAY_S,
    r"douyin:[^:]+:token": DAY_S,
    r"ready(:[a-z]+)?": 60,
}
"""Pattern of a key → the longest life it may have, in seconds."""


def ends_within_s(key: str) -> int | None:
    """The longest life that a key may have; None for a key that no row tells of."""
    return next((life for pattern, life in ENDS_WITHIN_S.items() if re.fullmatch(pattern, key)), None)
