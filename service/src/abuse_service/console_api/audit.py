"""Who read what of whom. Each reading of a person's record is an event in the log, without a personal value."""

from typing import Protocol

import msgspec

from abuse_service.console_api.instants import iso
from abuse_service.console_api.pages import Reading, named_entities
from abuse_service.errors import StorageUnavailable
from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.events.event import OWN_SOURCE, RECORD_READ, Event, Stored
from abuse_service.flow import Flow

LOG_PAUSE_MS = 60_000
"""A reader who follows the log is noted once in this time: what he reads includes the note."""

_encode = msgspec.json.Encoder().encode
_USER_LETTER = EntityKind.USER.value


class Reader(Protocol):
    """Who reads."""

    @property
    def actor(self) -> str:
        """His name: his token's source, or ``local``."""
        ...


class ReadingSaid(msgspec.Struct, frozen=True):
    """The body of ``service.record_read``; the event's entities say whose record it was, or what was looked for."""

    actor: str
    route: str


class Audit:
    """Notes readings in the log."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._noted_logs: dict[str, int] = {}

    def note(self, reader: Reader, route: str, *entities: EntityKey) -> None:
        """Note a reading before it is answered. Raises `StorageUnavailable` when the note could not be kept."""
        flow = self._flow
        if not flow.event_log.has_room:
            raise StorageUnavailable("a reading can't be noted at the moment, and is refused; ask again")
        now_ms = flow.now_ms()
        said = _encode(ReadingSaid(reader.actor, route))
        flow.record_reading(Event(RECORD_READ, OWN_SOURCE, now_ms, now_ms, said, entities=tuple(entities)))

    def note_log(self, reader: Reader) -> None:
        """Note that somebody reads the log itself, once in `LOG_PAUSE_MS`."""
        now_ms = self._flow.now_ms()
        if now_ms - self._noted_logs.get(reader.actor, 0) >= LOG_PAUSE_MS:
            self.note(reader, "events")
            self._noted_logs[reader.actor] = now_ms


def reading_view(flow: Flow, stored: Stored) -> Reading:
    """A reading as it was noted, with the person's key where he is still known."""
    said = msgspec.json.decode(stored.event.body, type=ReadingSaid)
    entities = stored.event.entities
    states = [flow.projection.states.peek(key) for key in entities if key[:1] == _USER_LETTER]
    return Reading(
        at=iso(stored.event.occurred_at_ms),
        actor=said.actor,
        route=said.route,
        identity_key=next((getattr(state, "key", None) for state in states), None),
        entities=named_entities(entities),
        position=stored.position,
    )
