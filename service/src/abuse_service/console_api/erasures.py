"""Erasing a person: asked for by an operator, and what is in progress or done."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from abuse_service.console_api.audit import Reader
from abuse_service.console_api.instants import iso
from abuse_service.errors import BadRequest, NotFound, Unprocessable
from abuse_service.events.entity import EntityKey, EntityNamer
from abuse_service.events.event import IDENTITY_ERASED, OWN_SOURCE, Event
from abuse_service.events.scrub import entity_of_erased, name_erased
from abuse_service.flow import Flow
from abuse_service.identities.erasure import Erasure
from abuse_service.replay.eraser import Eraser

_LONGEST_REASON = 128
_PREFIXES = ("user:", "fingerprint:")
_encode = msgspec.json.Encoder().encode


class KeptErasures(Protocol):
    """The erasures that are known."""

    def newest(self, limit: int) -> Sequence[Erasure]:
        """Those that were asked for last, newest first."""
        ...

    def find(self, entity: EntityKey) -> Erasure | None:
        """That of an identity."""
        ...

    def rejected_behind(self, rejected_id: int, limit: int) -> list[tuple[int, bytes]]:
        """Rejected events, open and closed, behind an id: ids and bodies."""
        ...


class Desk(Protocol):
    """What these routes need of a service."""

    flow: Flow
    namer: EntityNamer
    eraser: Eraser
    kept_erasures: KeptErasures


class ErasureWish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why somebody is erased, in words that name nobody; ``waits`` for an answer when it is done."""

    reason: str
    waits: bool = False


class ErasureSaid(msgspec.Struct, frozen=True, kw_only=True):
    """One erasure. Without ``done_at`` it is in progress."""

    identity_key: str
    requested_at: str
    done_at: str | None


class ErasurePage(msgspec.Struct, frozen=True):
    """Erasures, those first that were asked for last."""

    in_progress: int
    erasures: list[ErasureSaid]


async def request_erasure(desk: Desk, actor: Reader, key: str, body: bytes) -> ErasureSaid:
    """Erase whom an identity key names, known or not, from now on.

    Raises `BadRequest`, `NotFound` or `Unprocessable`; then nothing is erased.
    """
    try:
        wish = msgspec.json.decode(body, type=ErasureWish)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"expected reason: {error}") from None
    reason = wish.reason.strip()
    if not 0 < len(reason) <= _LONGEST_REASON or "@" in reason:
        said = f"a reason of at most {_LONGEST_REASON} characters that names nobody, such as a number of a request"
        raise Unprocessable(f"expected {said}", path="reason")
    name, entity = _find(desk, key)
    if name.partition(":")[2] in reason:
        raise Unprocessable("expected a reason that does not name whom it erases: it is kept", path="reason")
    now_ms = desk.flow.now_ms()
    told = _encode({"reason": reason, "actor": actor.actor})
    await desk.flow.tell(
        Event(IDENTITY_ERASED, OWN_SOURCE, now_ms, now_ms, told, identity=name, identity_entity=entity)
    )
    if wish.waits:
        await desk.eraser.erase_pending([entity])
    return show_erasure(desk, key)


def show_erasure(desk: Desk, key: str) -> ErasureSaid:
    """How far the erasure of an identity is. Raises `NotFound` where none was asked for."""
    _, entity = _find(desk, key)
    erasure = desk.kept_erasures.find(entity)
    if erasure is None:
        raise NotFound("no erasure of this identity was asked for")
    return _told(desk, erasure)


def show_erasures(desk: Desk, limit: int) -> ErasurePage:
    """The newest erasures."""
    pending = desk.flow.projection.erasures.pending
    return ErasurePage(len(pending), [_told(desk, one) for one in desk.kept_erasures.newest(limit)])


def _told(desk: Desk, erasure: Erasure) -> ErasureSaid:
    state = desk.flow.projection.identity(erasure.entity)
    return ErasureSaid(
        # Who is in progress may still have his own key; it is not told.
        identity_key=name_erased(state.key if state and state.key else "user:", erasure.entity) or "",
        requested_at=iso(erasure.requested_at_ms),
        done_at=None if erasure.done_at_ms is None else iso(erasure.done_at_ms),
    )


def _find(desk: Desk, key: str) -> tuple[str, EntityKey]:
    """Whom a key names: somebody who is known, was erased, or may be heard of later."""
    erased = entity_of_erased(key)
    if erased is not None and erased in desk.flow.projection.erasures:
        return key, erased
    for candidate in (key, f"user:{key}"):
        entity = desk.namer.identity(candidate)
        if desk.flow.projection.identity(entity) is not None or entity in desk.flow.projection.erasures:
            return candidate, entity
    if key.startswith(_PREFIXES):
        return key, desk.namer.identity(key)
    raise NotFound("no identity has this key; keys look like user:… or fingerprint:…")
