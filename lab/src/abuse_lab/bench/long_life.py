"""One identity with a great many events, among others; and the same in plain tables."""

import functools
import random
from collections.abc import Sequence
from pathlib import Path

import msgspec

from abuse_lab.bench.bare import open_bare
from abuse_lab.bench.runs import NotAsSent
from abuse_service.events.entity import EntityKey
from abuse_service.events.event import Event, Stored
from abuse_service.events.log import Appended
from abuse_service.identities.timeline import Wish, entry_of, place_of, read_timeline
from abuse_service.wiring import Service

ADA = "user:ada"
YEAR_MS = 365 * 86_400_000
START_MS = 1_700_000_000_000
OTHERS = 1_000
EVENTS_AN_IMAGE = 100_000
_EVENTS_AT_ONCE = 500
_TYPES = ("billing.credit_purchased", "user.unblocked", "billing.kilo_pass_changed", "user.email_changed")
_BODY = b'{"type":"billing.credit_purchased","data":{"kilo_user_id":"ada","microdollars_acquired":%d,"note":"%s"}}'
_encode = msgspec.msgpack.Encoder().encode

Place = tuple[int, int]
"""Event time and position."""


class LongLife:
    """An identity whose events spread over a year: most in order, some an hour late, a few by days."""

    def __init__(self, service: Service, seed: int) -> None:
        self._service = service
        self._chance = random.Random(seed)
        self.key = service.namer.identity(ADA)
        self.events_told = 0

    async def live(self, events: int) -> None:
        """Make so many events durable and fold them; a tenth as many are others'. The newest are still in memory."""
        told = 0
        while told < events:
            number = min(_EVENTS_AT_ONCE, events - told)
            some = [self._event(place, events) for place in range(told, told + number)]
            some += [self._others_event() for _ in range(number // 10)]
            self._chance.shuffle(some)
            await self._service.store.append(some, then=functools.partial(self._fold, some))
            told += number
            if told % EVENTS_AN_IMAGE == 0 and told < events:
                await self._service.keeper.take()
        self.events_told = told

    def bounds(self, number: int) -> list[Place]:
        """Instants anywhere in the life, but for its first hundredth."""
        ends = [START_MS + int(YEAR_MS * self._chance.uniform(0.01, 1.0)) for _ in range(number)]
        return [(at_ms, 0) for at_ms in ends]

    def page(self, bound: Place, most: int) -> list[Place]:
        """Where the events below a bound stand, newest first."""
        return [place_of(entry) for entry in self._entries(bound, most)]

    def events(self, bound: Place, most: int) -> list[Stored]:
        """Those events."""
        positions = [place_of(entry)[1] for entry in self._entries(bound, most)]
        return self._service.store.find_all(positions)

    def _entries(self, bound: Place, most: int) -> list[bytes]:
        wish = Wish(before=entry_of(bound[0], bound[1], "")[:-1] + b"\0", most=most)
        recent = self._service.projection.states.recent.entries(self.key)
        return read_timeline(recent, self._service.store.kept_index, self.key, wish).entries

    def _fold(self, some: Sequence[Event], appended: Appended) -> None:
        for position, event in zip(appended.positions, some, strict=True):
            self._service.projection.apply(position, event, None)

    def _event(self, place: int, events: int) -> Event:
        chance = self._chance
        dice = chance.random()
        late_ms = 0 if dice < 0.9 else chance.randrange(3_600_000) if dice < 0.99 else chance.randrange(5 * 86_400_000)
        at_ms = START_MS + YEAR_MS * place // events - late_ms
        body = _BODY % (place, chance.randbytes(100).hex().encode())
        return Event(chance.choice(_TYPES), "cloud", at_ms, at_ms, body, identity=ADA, identity_entity=self.key)

    def _others_event(self) -> Event:
        identity = f"user:other-{self._chance.randrange(OTHERS)}"
        at_ms = START_MS + self._chance.randrange(YEAR_MS)
        key = self._service.namer.identity(identity)
        return Event("user.unblocked", "cloud", at_ms, at_ms, b"{}", identity=identity, identity_entity=key)


class EventRows:
    """The same events in plain tables: a row an event, an index over (identity, occurred_at, position)."""

    def __init__(self, path: Path, service: Service, life: LongLife) -> None:
        self._key: EntityKey = life.key
        self._connection = open_bare(path)
        self._connection.execute(
            "CREATE TABLE entry (identity BLOB NOT NULL, occurred_at INTEGER NOT NULL, position INTEGER NOT NULL)"
        )
        self._connection.execute("CREATE TABLE event (position INTEGER PRIMARY KEY, body BLOB NOT NULL)")
        self._connection.execute("BEGIN")
        for stored in service.store.read(0):
            event = stored.event
            if event.identity_entity is not None:
                row = (event.identity_entity, event.occurred_at_ms, stored.position)
                self._connection.execute("INSERT INTO entry VALUES (?, ?, ?)", row)
                self._connection.execute("INSERT INTO event VALUES (?, ?)", (stored.position, _encode(event)))
        self._connection.execute("CREATE INDEX entry_place ON entry (identity, occurred_at, position)")
        self._connection.execute("COMMIT")
        [found] = self._connection.execute("SELECT count(*) FROM entry WHERE identity = ?", (self._key,)).fetchone()
        if found != life.events_told:
            raise NotAsSent(f"{found} events of the identity in the log, expected {life.events_told}")

    def page(self, bound: Place, most: int) -> list[Place]:
        """Where the events below a bound stand, newest first."""
        return self._connection.execute(
            "SELECT occurred_at, position FROM entry WHERE identity = ? AND (occurred_at, position) < (?, ?) "
            "ORDER BY occurred_at DESC, position DESC LIMIT ?",
            (self._key, *bound, most),
        ).fetchall()

    def events(self, bound: Place, most: int) -> list[bytes]:
        """Those events, as bytes."""
        return self._connection.execute(
            "SELECT body FROM entry JOIN event USING (position) "
            "WHERE identity = ? AND (occurred_at, position) < (?, ?) "
            "ORDER BY occurred_at DESC, position DESC LIMIT ?",
            (self._key, *bound, most),
        ).fetchall()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
