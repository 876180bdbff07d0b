"""A crowd of identities, read and changed by the service's own parts; and the same bytes in a bare table."""

import random
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

from abuse_lab.bench.bare import open_bare
from abuse_lab.bench.mixture import Mixture
from abuse_lab.bench.runs import NotAsSent, fresh_seed
from abuse_lab.people import People
from abuse_service.events.content import Content
from abuse_service.events.entity import EntityKey
from abuse_service.events.event import USER_DELETED, Event
from abuse_service.events.log import Appended
from abuse_service.identities.fold import fold
from abuse_service.identities.state import IdentityState
from abuse_service.intake.auth import AuthIntake
from abuse_service.intake.batch import BatchIntake
from abuse_service.intake.receipt import Receipt
from abuse_service.wiring import Service, read_enricher

_EVENTS_A_COMMIT = 200
HISTORY_EVENTS = 10
"""Events that an identity has beside its sign-up."""

Moment = tuple[Event, Content | None]


class Crowd:
    """So many identities, each signed up and with some history."""

    def __init__(self, service: Service, identities: int) -> None:
        self._service = service
        self._people = People(fresh_seed(), identities)
        self._users = [self._people.user_id(index) for index in range(identities)]
        self._intake = BatchIntake(service.namer, read_enricher(service.settings))
        self.keys = [service.namer.identity(f"user:{user}") for user in self._users]

    async def live(self) -> None:
        """Let everybody sign up and live; all that came of it is on disk then."""
        number = len(self._users)
        auths, now = AuthIntake(self._service.namer, read_enricher(self._service.settings)), self._now()
        for start in range(0, number, _EVENTS_A_COMMIT):
            indexes = range(start, min(start + _EVENTS_A_COMMIT, number))
            readings = [auths.read(self._people.sign_up(index), now) for index in indexes]
            await self._take([(reading.event, reading.payload) for reading in readings])
        for _ in range(HISTORY_EVENTS):
            some = self.moments(number, number)
            for start in range(0, len(some), _EVENTS_A_COMMIT):
                await self._take(some[start : start + _EVENTS_A_COMMIT])
        await self._service.keeper.take()

    def moments(self, people: int, number: int) -> list[Moment]:
        """So many events of so many people, chosen anew, as intake has read them; nobody is deleted."""
        mixture = Mixture(fresh_seed(), random.sample(self._users, min(people, len(self._users))))
        found: list[Moment] = []
        while len(found) < number:
            for body in mixture.batches(1, _EVENTS_A_COMMIT):
                batch = self._intake.read(body, self._now())
                every = zip(batch.events, batch.contents, strict=True)
                found += [one for one in every if one[0].type != USER_DELETED]
        return found[:number]

    def read(self, keys: Sequence[EntityKey]) -> float:
        """Seconds to read so many records."""
        find = self._service.projection.identity
        begun = time.perf_counter()
        for key in keys:
            if find(key) is None:
                raise NotAsSent("an identity is not known")
        return time.perf_counter() - begun

    async def settle(self) -> None:
        """Bring all that changed to disk, and what was used to rest: one image packs it, the next lays it by."""
        for _ in range(2):
            await self._service.keeper.take()

    async def change(self, moments: Sequence[Moment]) -> float:
        """Seconds to fold events into their records, until these are on disk and at rest again.

        Records alone: what the log, joins, links and features cost is the other benchmarks' matter.
        """
        states = self._service.projection.states
        begun = time.perf_counter()
        for event, content in moments:
            state = states.edit(event.identity_entity or b"")
            if not isinstance(state, IdentityState):
                raise NotAsSent("an identity is not known")
            fold(state.record, event, content)
            if states.wants_cut:
                await self._service.keeper.take()
        await self.settle()
        return time.perf_counter() - begun

    async def _take(self, moments: Sequence[Moment]) -> None:
        """Make events durable together and fold them, then take an image where one is due."""

        def take(appended: Appended) -> None:
            for position, (event, content) in zip(appended.positions, moments, strict=True):
                self._service.projection.apply(position, event, content)

        await self._service.store.append([event for event, _ in moments], then=take)
        if self._service.projection.states.wants_cut:
            await self._service.keeper.take()

    def _now(self) -> Receipt:
        return Receipt(self._service.flow.now_ms(), "cloud")


class BareRows:
    """A plain table of the same rows: the identities' packed states."""

    def __init__(self, path: Path, service: Service, keys: Sequence[EntityKey]) -> None:
        self._connection = open_bare(path)
        self._connection.execute("CREATE TABLE state (key BLOB PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID")
        self._bodies = {key: service.store.load(key) or b"" for key in keys}
        if not all(self._bodies.values()):
            raise NotAsSent("an identity is not on disk")
        self.upsert(keys)

    @property
    def mean_bytes(self) -> float:
        """Bytes a row."""
        return statistics.fmean(map(len, self._bodies.values()))

    def read(self, keys: Sequence[EntityKey]) -> float:
        """Seconds to read so many rows."""
        execute = self._connection.execute
        begun = time.perf_counter()
        for key in keys:
            execute("SELECT body FROM state WHERE key = ?", (key,)).fetchone()
        return time.perf_counter() - begun

    def upsert(self, keys: Sequence[EntityKey]) -> float:
        """Seconds to write so many rows and commit them together."""
        statement = "INSERT INTO state VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET body = excluded.body"
        rows = [(key, self._bodies[key]) for key in keys]
        begun = time.perf_counter()
        self._connection.execute("BEGIN IMMEDIATE")
        self._connection.executemany(statement, rows)
        self._connection.execute("COMMIT")
        return time.perf_counter() - begun

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
