"""A seeded audience: who does what when, the same for the same seed, without end.

Events carry viewer, kind and a running `message_id`; room, platform and times belong to whoever delivers them.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, count

from services.core.events import AudienceEvent, Chat, Enter, FansClub, Follow, Gift, Like, Viewer
from services.gateway.simulator import words

MOOD_S = 10.0
"""How long the room keeps one pace."""
LIKES, ENTERS, GIFTS, FOLLOWS, FANS = 2.0, 0.2, 0.05, 0.02, 0.01
"""Events of each kind per comment: gifts are rarer than comments by far, and likes more frequent."""
LIKES_MERGED_S = 2.0
"""The platform tells of one viewer's likes once in this time."""
SCENES = 0.02
"""Scenes that begin, per comment."""


@dataclass(frozen=True, slots=True)
class Burst:
    """A wave of attention that comes back."""

    every_s: float
    lasts_s: float
    comments_per_s: float


@dataclass(frozen=True, slots=True)
class Profile:
    """How lively a room is. The pace wanders between the two rates."""

    viewers: int
    least_comments_per_s: float
    most_comments_per_s: float
    burst: Burst | None = None


PROFILES = {
    "quiet": Profile(30, 0.1, 1),
    "normal": Profile(600, 1, 5),
    "busy": Profile(8_000, 20, 50),
    "burst": Profile(15_000, 20, 50, Burst(every_s=120, lasts_s=30, comments_per_s=250)),
    # With likes and the rest 1,000 to 5,000 items a second: what 100 pushes a second of 10 to 50 items can carry.
    "cap": Profile(50_000, 300, 1_500),
}


def audience(seed: int, profile: str) -> Iterator[tuple[float, AudienceEvent]]:
    """Endless (seconds since the start, event) in order of time. Raises KeyError for an unknown profile."""
    return _Room(random.Random(seed), PROFILES[profile]).events()


class _Room:
    def __init__(self, chance: random.Random, profile: Profile) -> None:
        self._chance = chance
        self._profile = profile
        self._viewers = [_viewer(chance, number) for number in range(profile.viewers)]
        # A few viewers write most of what is written.
        self._weights = list(accumulate(1 / (rank + 10) for rank in range(profile.viewers)))
        self._liked: dict[str, float] = {}
        """When each viewer's last like was told, in seconds since the start."""
        self._planned: list[tuple[float, int, AudienceEvent]] = []
        self._order = count()

    def events(self) -> Iterator[tuple[float, AudienceEvent]]:
        numbers = count(1)
        now = 0.0
        while True:
            rate = self._comments_per_s(now)
            mood_ends = now + MOOD_S
            while (
                now := now + self._chance.expovariate(rate * (1 + LIKES + ENTERS + GIFTS + FOLLOWS + FANS + SCENES))
            ) < (mood_ends):
                self._happen(now)
                while self._planned and self._planned[0][0] <= now:
                    at_s, _, event = heapq.heappop(self._planned)
                    event.message_id = str(next(numbers))
                    yield at_s, event
            now = mood_ends

    def _comments_per_s(self, now: float) -> float:
        profile, burst = self._profile, self._profile.burst
        if burst is not None and burst.every_s - burst.lasts_s <= now % burst.every_s:
            return burst.comments_per_s
        return self._chance.uniform(profile.least_comments_per_s, profile.most_comments_per_s)

    def _happen(self, now: float) -> None:
        happenings = (
            self._comment, self._like, self._enter, self._gift, self._follow, self._fans_club, self._scene,
        )  # fmt: skip
        weights = (1.0, LIKES, ENTERS, GIFTS, FOLLOWS, FANS, SCENES)
        self._chance.choices(happenings, weights)[0](now)

    def _plan(self, at_s: float, event: AudienceEvent) -> None:
        heapq.heappush(self._planned, (at_s, next(self._order), event))

    def _anyone(self) -> Viewer:
        return self._chance.choices(self._viewers, cum_weights=self._weights)[0]

    def _comment(self, now: float) -> None:
        viewer = self._anyone()
        self._plan(now, AudienceEvent(viewer=viewer, chat=Chat(text=self._text(viewer))))

    def _text(self, viewer: Viewer) -> str:
        chance = self._chance
        english = viewer.name.isascii() or chance.random() < 0.1
        text = chance.choice(words.ENGLISH_COMMENTS if english else words.CHINESE_COMMENTS)
        text = text.format_map({name: chance.choice(choices) for name, choices in words.FILLERS.items()})
        return self._mistyped(text) if chance.random() < 0.12 else text

    def _mistyped(self, text: str) -> str:
        """A wrong homophone or two letters swapped."""
        for right, wrong in words.HOMOPHONES.items():
            if right in text:
                return text.replace(right, wrong, 1)
        if len(text) < 4:
            return text
        at = self._chance.randrange(1, len(text) - 1)
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]

    def _like(self, now: float) -> None:
        viewer, likes = self._chance.choice(self._viewers), Like(count=self._chance.randint(1, 15))
        if now - self._liked.get(viewer.id, -LIKES_MERGED_S) >= LIKES_MERGED_S:
            self._liked[viewer.id] = now
            self._plan(now, AudienceEvent(viewer=viewer, like=likes))

    def _enter(self, now: float) -> None:
        self._plan(now, AudienceEvent(viewer=self._anyone(), enter=Enter(left=self._chance.random() < 0.3)))

    def _follow(self, now: float) -> None:
        action = Follow.ACTION_UNFOLLOWED if self._chance.random() < 0.1 else Follow.ACTION_FOLLOWED
        self._plan(now, AudienceEvent(viewer=self._anyone(), follow=Follow(action=action)))

    def _fans_club(self, now: float) -> None:
        viewer = self._anyone()
        joined = viewer.fans_club_level == 0
        viewer.fans_club_level = min(viewer.fans_club_level + 1, 20)
        reason = FansClub.REASON_JOINED if joined else FansClub.REASON_LEVEL_UP
        self._plan(now, AudienceEvent(viewer=viewer, fans_club=FansClub(reason=reason, level=viewer.fans_club_level)))

    def _gift(self, now: float) -> None:
        """One gift, or a combo: the same again and again while the button is hit."""
        viewer = self._anyone()
        gift = self._chance.choices(words.GIFTS, [gift.weight for gift in words.GIFTS])[0]
        for _ in range(self._chance.randint(3, 10) if self._chance.random() < 0.25 else 1):
            many = self._chance.choice((1, 1, 1, 1, 5, 10)) if gift.price_fen <= 100 else 1
            sent = Gift(gift_id=gift.gift_id, name=gift.name, count=many, value_fen=gift.price_fen * many)
            self._plan(now, AudienceEvent(viewer=viewer, gift=sent))
            now += self._chance.uniform(0.3, 1.5)

    def _scene(self, now: float) -> None:
        chance = self._chance
        scene = chance.choice(("wave", "quarrel", "advert", "flood"))
        if scene == "wave":
            text = chance.choice(words.WAVES)
            for _ in range(min(20, self._profile.viewers // 4)):
                self._say(now + chance.uniform(0, 6), self._anyone(), text + text[-1] * chance.randint(0, 3))
        elif scene == "quarrel":
            sides = (self._anyone(), self._anyone())
            for number, line in enumerate(chance.choice(words.QUARRELS)):
                now += chance.uniform(1.5, 5)
                self._say(now, sides[number % 2], line)
        elif scene == "advert":
            viewer, advert = self._anyone(), chance.choice(words.ADVERTS)
            contact = "".join(chance.choices("abcdefgh0123456789", k=8))
            for _ in range(chance.randint(1, 3)):
                self._say(now, viewer, advert.format(contact=contact))
                now += chance.uniform(3, 10)
        else:
            viewer = self._anyone()
            for _ in range(chance.randint(4, 8)):
                self._say(now, viewer, chance.choice(words.NONSENSE))
                now += chance.uniform(0.3, 1)

    def _say(self, at_s: float, viewer: Viewer, text: str) -> None:
        self._plan(at_s, AudienceEvent(viewer=viewer, chat=Chat(text=text)))


def _viewer(chance: random.Random, number: int) -> Viewer:
    english = chance.random() < 0.25
    name = chance.choice(words.ENGLISH_NAMES if english else words.CHINESE_NAMES)
    if number >= len(words.ENGLISH_NAMES):
        name += str(chance.randint(1, 9999)) if chance.random() < 0.7 else ""
    return Viewer(
        id=f"_000{chance.getrandbits(96):024x}",
        name=name,
        avatar_url=f"https://avatars.invalid/{number}.png",
        level=min(int(chance.expovariate(0.15)), 60),
        fans_club_level=chance.randint(1, 20) if chance.random() < 0.1 else 0,
    )
