"""Reading persons: a record, a timeline, a cluster, a search; and who read them."""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from abuse_client.contract import Verdict
from abuse_service.console_api.audit import Audit, Reader, reading_view
from abuse_service.console_api.clusters import cluster_view
from abuse_service.console_api.joins import conflicting_claims
from abuse_service.console_api.pages import AuditPage, SearchPage, TimelinePage, found_identity, timeline_event
from abuse_service.console_api.query import Parameter, Query, cursor_of
from abuse_service.console_api.views import identity_view
from abuse_service.decisions.decision import Decision
from abuse_service.enrichment.mail import read_mail
from abuse_service.errors import BadRequest, NotFound
from abuse_service.events.entity import EntityKey, EntityKind, EntityNamer
from abuse_service.events.event import Stored
from abuse_service.events.scrub import entity_of_erased
from abuse_service.flow import Flow
from abuse_service.identities.mark import marks_that
from abuse_service.identities.search import KeptCrowds, Sought, search
from abuse_service.identities.state import IdentityState
from abuse_service.identities.timeline import (
    AUDIT,
    ENTRY_BYTES,
    KeptTimelines,
    Page,
    Wish,
    before_instant,
    place_of,
    read_timeline,
)
from abuse_service.policy.entries import read_entry

_decision = msgspec.json.Decoder(Decision).decode
MOST_ROWS = 500
ROWS = 50
_MOST_BODY_BYTES = 8 * 2**20
_MOST_EMPTY_PAGES = 10
_KEY_BYTES = 17
_ENTITY_PARAMETERS = (
    "user",
    "fingerprint",
    "organization",
    "ip",
    "network",
    "domain",
    "mailbox",
    "device",
    "card",
    "customer",
)


class KeptIndex(KeptTimelines, KeptCrowds, Protocol):
    """What the last cut says of timelines, crowds and marks."""


class Desk(Protocol):
    """What reading needs of a service."""

    flow: Flow
    namer: EntityNamer
    kept_index: KeptIndex
    audit: Audit


LIMIT = Parameter(
    name="limit",
    description=f"Rows of a page, {ROWS} unless said.",
    schema={"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": ROWS},
)
CURSOR = Parameter(name="cursor", description="The `next` of the page before.")
_INSTANT = {"oneOf": [{"type": "string", "format": "date-time"}, {"type": "integer", "minimum": 0}]}
SINCE = Parameter(name="since", description="Events at this instant or later: ISO 8601 or epoch ms.", schema=_INSTANT)
UNTIL = Parameter(name="until", description="Events before this instant: ISO 8601 or epoch ms.", schema=_INSTANT)
TYPE = Parameter(name="type", description="Events of this type; repeat it for several.", may_repeat=True)
TIMELINE_PARAMETERS = (TYPE, SINCE, UNTIL, LIMIT, CURSOR)
AUDIT_PARAMETERS = (SINCE, UNTIL, LIMIT, CURSOR)
SEARCH_PARAMETERS = (
    Parameter(name="email", description="This address, as it was once said, in any case.", may_repeat=True),
    *(
        Parameter(name=kind, description=f"Seen with this {kind}, as lists name it.", may_repeat=True)
        for kind in _ENTITY_PARAMETERS
    ),
    Parameter(name="blocked", description="Blocked by the cloud, or not.", schema={"type": "boolean"}),
    Parameter(
        name="verdict", description="The newest decision's verdict.", schema={"type": "string", "enum": [*Verdict]}
    ),
    LIMIT,
    CURSOR,
)


class Persons:
    """Answers questions about persons, and notes each in the log."""

    def __init__(self, desk: Desk, reader: Reader) -> None:
        self._flow = desk.flow
        self._namer = desk.namer
        self._kept = desk.kept_index
        self._audit = desk.audit
        self._reader = reader

    def record(self, key: str) -> dict[str, Any]:
        """The record behind an identity key, its links, and its newest decisions. Raises `NotFound`."""
        entity, state = self.open("record", key)
        projection, now_ms = self._flow.projection, self._flow.now_ms()
        listed = self._flow.judge.find_listed(entity, state, (), now_ms)
        view = identity_view(state, projection.catalog, now_ms, ended=projection.ended, listed=listed)
        claims = conflicting_claims(self._flow, self._namer, state)
        return view | {"conflicting_claims": claims, "reasons": self._newest_reasons(state)}

    def cluster(self, key: str) -> dict[str, Any]:
        """Who stands next to an identity. Raises `NotFound`."""
        return cluster_view(self._flow, *self.open("cluster", key))

    def timeline(self, key: str, query: Query) -> TimelinePage:
        """A page of an identity's events, newest first. Raises `NotFound` or `BadRequest`."""
        wish = _wish(query, tuple(query.all("type")))
        entity, state = self.open("timeline", key)
        page, stored = self.read_page(entity, wish)
        return TimelinePage(state.key, [timeline_event(one) for one in stored], _next(page))

    def search(self, query: Query) -> SearchPage:
        """A page of those who fit. Raises `BadRequest`."""
        sought = self._sought(query)
        self._audit.note(self._reader, "search", *sought.identities, *sought.entities)
        found = search(self._flow.projection.states, self._kept, sought)
        return SearchPage([found_identity(state) for _, state in found.states], cursor_of(found.after))

    def readings(self, query: Query) -> AuditPage:
        """A page of who read what, newest first. Raises `BadRequest`."""
        page, stored = self.read_page(AUDIT, _wish(query, ()))
        return AuditPage([reading_view(self._flow, one) for one in stored], _next(page))

    def find(self, key: str) -> tuple[EntityKey, IdentityState]:
        """The state behind an identity key; a bare user id works too. Raises `NotFound`."""
        erased = entity_of_erased(key)
        named = (self._namer.identity(candidate) for candidate in (key, f"user:{key}"))
        for entity in (erased, *named) if erased else named:
            state = self._flow.projection.identity(entity)
            if state is not None:
                return entity, state
        raise NotFound("no identity has this key; keys look like user:… or fingerprint:…", path="key")

    def _newest_reasons(self, state: IdentityState) -> list[str]:
        """The sentences of the newest decision."""
        stored = self._flow.event_log.find_request(state.decisions[-1].request_id) if state.decisions else None
        return list(_decision(stored.event.outcome).reasons) if stored is not None and stored.event.outcome else []

    def open(self, route: str, key: str) -> tuple[EntityKey, IdentityState]:
        """The state behind a key, to be read; that is noted. Raises `NotFound`."""
        entity, state = self.find(key)
        self._audit.note(self._reader, route, entity)
        return entity, state

    def read_page(self, identity: EntityKey, wish: Wish) -> tuple[Page, list[Stored]]:
        """A page and its events. Where none of them is there, or fits, those behind it are read as well."""
        page, stored = self._read_once(identity, wish)
        for _ in range(_MOST_EMPTY_PAGES):
            if stored or page.before is None:
                break
            page, stored = self._read_once(identity, msgspec.structs.replace(wish, before=page.before))
        return page, stored

    def _read_once(self, identity: EntityKey, wish: Wish) -> tuple[Page, list[Stored]]:
        """A page and its events; it ends early before it grows too large."""
        recent = self._flow.projection.states.recent.entries(identity)
        page = read_timeline(recent, self._kept, identity, wish)
        stored: list[Stored] = []
        size = 0
        for one in self._flow.event_log.find_all([place_of(entry)[1] for entry in page.entries]):
            if wish.types and one.event.type not in wish.types:
                continue
            if size > _MOST_BODY_BYTES:
                last = stored[-1]
                entry = next(entry for entry in page.entries if place_of(entry)[1] == last.position)
                return Page(page.entries, entry), stored
            stored.append(one)
            size += len(one.event.body)
        return page, stored

    def _sought(self, query: Query) -> Sought:
        identities: list[EntityKey] = []
        entities: list[EntityKey] = []
        for kind in _ENTITY_PARAMETERS:
            for value in query.all(kind):
                key = self._named(kind, value)
                (identities if key[:1] == EntityKind.USER.value else entities).append(key)
        emails = query.all("email")
        entities += [self._mailbox(email) for email in emails]
        blocked, verdict = query.flag("blocked"), _verdict(query)
        return Sought(
            identities=tuple(dict.fromkeys(identities)),
            entities=tuple(dict.fromkeys(entities)),
            emails=tuple(email.strip().lower() for email in emails),
            marks=None if blocked is None and verdict is None else marks_that(is_blocked=blocked, verdict=verdict),
            after=query.cursor("cursor", _KEY_BYTES) or b"",
            most=query.size("limit", default=ROWS, most=MOST_ROWS),
        )

    def _named(self, kind: str, value: str) -> EntityKey:
        try:
            return self._namer.key(*read_entry(f"{kind}:{value}"))
        except ValueError as error:
            raise BadRequest(str(error), path=kind) from None

    def _mailbox(self, email: str) -> EntityKey:
        mail = read_mail(email)
        if mail is None:
            raise BadRequest("expected an e-mail address, such as a@example.com", path="email")
        return self._namer.key(EntityKind.MAILBOX, mail.mailbox)


def _wish(query: Query, types: tuple[str, ...]) -> Wish:
    until_ms = query.instant_ms("until")
    bounds: Iterable[bytes | None] = (
        query.cursor("cursor", ENTRY_BYTES),
        None if until_ms is None else before_instant(until_ms),
    )
    return Wish(
        before=min((bound for bound in bounds if bound is not None), default=None),
        since_ms=query.instant_ms("since") or 0,
        types=types,
        most=query.size("limit", default=ROWS, most=MOST_ROWS),
    )


def _verdict(query: Query) -> Verdict | None:
    said = query.one("verdict")
    try:
        return None if said is None else Verdict(said)
    except ValueError:
        raise BadRequest(f"expected one of {', '.join(Verdict)}", path="verdict") from None


def _next(page: Page) -> str | None:
    return cursor_of(page.before)
