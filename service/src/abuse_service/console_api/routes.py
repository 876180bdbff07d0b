"""Routes below ``/api/console/``."""

from typing import Any, Protocol
from urllib.parse import parse_qs, unquote

import msgspec

from abuse_service.console_api.audit import Audit, Reader
from abuse_service.console_api.clusters import change_link
from abuse_service.console_api.erasures import Desk as ErasingDesk
from abuse_service.console_api.erasures import request_erasure, show_erasure, show_erasures
from abuse_service.console_api.joins import import_links, show_pending
from abuse_service.console_api.lists import change_list, show_list, show_lists
from abuse_service.console_api.policies import Policies
from abuse_service.console_api.reading import KeptIndex, Persons
from abuse_service.console_api.views import decision_view, event_view, rejected_view
from abuse_service.errors import BadRequest, Forbidden, NotFound
from abuse_service.events.event import OWN_SOURCE, RULE_RELEASED, Event
from abuse_service.flow import Flow
from abuse_service.versions import Versions

CONSOLE_BYTES = 16 * 2**20
_MOST_ROWS = 1000
_MOST_BODY_BYTES = 8 * 2**20
_LARGEST = 2**62
_OF_PERSONS = frozenset({"identities", "clusters", "decisions", "events", "rejected", "pending"})
_CHANGES = {"add": "added", "remove": "removed"}
_encode = msgspec.json.Encoder().encode


class Desk(ErasingDesk, Protocol):
    """What these routes need of a service."""

    versions: Versions
    kept_index: KeptIndex
    audit: Audit


class Console:
    """Answers the questions of operators and analysts, over HTTP or in the same process."""

    def __init__(self, desk: Desk, visitor: "Visitor") -> None:
        self.flow = self._flow = desk.flow
        self.persons = Persons(desk, visitor)
        self._audit = desk.audit
        self._visitor = visitor

    def decision(self, request_id: int) -> dict[str, Any]:
        """The decision with a request id. Raises `NotFound`."""
        stored = self._flow.event_log.find_request(request_id)
        if stored is None:
            raise NotFound("no decision has this request id")
        self._audit.note(self._visitor, "decision", stored.event.identity_entity or b"")
        return decision_view(stored.event)

    def events(self, after: int, limit: int) -> list[dict[str, Any]]:
        """Events behind a position, in order, a page by number and by bytes. A negative one counts from the end."""
        self._audit.note_log(self._visitor)
        first = max(0, self._flow.event_log.last_position + after) if after < 0 else after
        views, body_bytes = [], 0
        for stored in self._flow.event_log.read(first, min(limit, _MOST_ROWS)):
            views.append(event_view(stored))
            body_bytes += len(stored.event.body)
            if body_bytes >= _MOST_BODY_BYTES:
                break
        return views

    def rejected(self, limit: int) -> list[dict[str, Any]]:
        """The events in quarantine, oldest first."""
        return [rejected_view(entry) for entry in self._flow.quarantine.list_rejected(min(limit, _MOST_ROWS))]


class Visitor(Reader, Protocol):
    """Who asks."""

    @property
    def source(self) -> str:
        """His name."""
        ...

    def require(self, scope: str) -> None:
        """Raises `Forbidden` unless he has the scope."""
        ...


def _scope_to_read(path: str) -> str:
    """What names persons needs a scope of its own."""
    head, _, name = path.partition("/")
    return "records" if head in _OF_PERSONS or (head == "lists" and name) else "read"


def _may_read_persons(visitor: Visitor) -> bool:
    try:
        visitor.require("records")
    except Forbidden:
        return False
    return True


async def answer_console(desk: Desk, visitor: Visitor, method: str, path: str, query: str, body: bytes) -> bytes:
    """The JSON that answers one request below ``/api/console/``."""
    is_change = method == "POST" and path != "policy/check"
    visitor.require("admin" if is_change else _scope_to_read(path))
    console = Console(desk, visitor)
    asked = {name: values[0] for name, values in parse_qs(query).items()}
    head, _, rest = path.partition("/")
    name = unquote(rest)
    if method == "POST":
        return _encode(await _change(desk, visitor, head, name, body))
    if method != "GET":
        raise NotFound("no such route")
    if head == "policy":
        answer = Policies(desk.flow, desk.versions).look_up(name, asked)
        if "hits" in answer and not _may_read_persons(visitor):
            answer["hits"] = []
        return _encode(answer)
    if head == "erasures":
        return _encode(show_erasure(desk, name) if name else show_erasures(desk, min(_limit(asked), _MOST_ROWS)))
    return _encode(_look_up(console, head, name, asked))


def _look_up(console: Console, head: str, name: str, asked: dict[str, str]) -> Any:
    if head == "clusters" and name:
        return console.persons.cluster(name)
    if head == "identities" and name:
        return console.persons.record(name)
    if head == "decisions" and name:
        return console.decision(_integer(name, "request_id"))
    if head == "events":
        return {"events": console.events(_integer(asked.get("after", "0"), "after"), _limit(asked))}
    if head == "rejected":
        return {"rejected": console.rejected(_limit(asked))}
    if head == "pending":
        return show_pending(console.flow, _limit(asked))
    if head == "lists":
        return {"entries": show_list(console.flow, name)} if name else {"lists": show_lists(console.flow)}
    raise NotFound("no such route")


async def _change(desk: Desk, visitor: Visitor, head: str, name: str, body: bytes) -> Any:
    if head == "rejected" and name.endswith("/retry"):
        rejected_id = _integer(name.removesuffix("/retry"), "rejected_id")
        return await desk.flow.retry_rejected(rejected_id, body or None)
    if head == "lists":
        list_name, _, verb = name.rpartition("/")
        if list_name and verb in _CHANGES:
            return await change_list(desk.flow, list_name, _CHANGES[verb], body, visitor.source)
    if head == "clusters" and (verb := name.rpartition("/")[2]) in ("cut", "restore"):
        entity, state = Console(desk, visitor).persons.find(name.rpartition("/")[0])
        return await change_link(desk.flow, entity, state, body, visitor.source, is_cut=verb == "cut")
    if head == "identities" and name.endswith("/erase"):
        return await request_erasure(desk, visitor, name.removesuffix("/erase"), body)
    if head == "links":
        return await import_links(desk.flow, desk.namer, body, visitor.source)
    if head == "rules" and name.endswith("/release"):
        return await _release(desk.flow, name.removesuffix("/release"), body, visitor.source)
    if head == "policy":
        return await Policies(desk.flow, desk.versions).change(name, body, visitor.source)
    if head == "enforcement":
        try:
            said = msgspec.json.decode(body, type=EnforcementChange)
        except msgspec.MsgspecError as error:
            raise BadRequest(f"expected is_enforced and reason: {error}") from None
        await desk.flow.switch_enforcement(said.is_enforced, said.reason, visitor.source)
        return {"is_enforced": desk.flow.is_enforced}
    raise NotFound("no such route")


async def _release(flow: Flow, rule_id: str, body: bytes, actor: str) -> dict[str, str]:
    """Let a guarded rule act again."""
    try:
        said = msgspec.json.decode(body, type=Release)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"expected reason: {error}") from None
    if rule_id not in flow.judge.standing.guarded:
        raise NotFound("no rule with this id waits for a person", path="rule_id")
    now_ms = flow.now_ms()
    told = _encode({"rule_id": rule_id, "reason": said.reason, "actor": actor})
    await flow.tell(Event(RULE_RELEASED, OWN_SOURCE, now_ms, now_ms, told))
    return {"rule_id": rule_id, "state": "released"}


class Release(msgspec.Struct, frozen=True):
    """Why a guarded rule may act again."""

    reason: str


class EnforcementChange(msgspec.Struct, frozen=True):
    """The switch that turns all enforcement off or on, with the reason why."""

    is_enforced: bool
    reason: str


def _limit(asked: dict[str, str]) -> int:
    return max(1, _integer(asked.get("limit", "100"), "limit"))


def _integer(text: str, name: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = _LARGEST
    if abs(number) >= _LARGEST:
        raise BadRequest("expected a whole number", path=name)
    return number
