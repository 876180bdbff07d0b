"""The life of a person among others in a real service, and looks at what is left of him."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from abuse_service.api.doors import Sender
from abuse_service.console_api.routes import answer_console
from abuse_service.features.projection import Projection
from abuse_service.identities.packing import pack
from abuse_service.identities.states import States
from abuse_service.replay.retell import retell
from abuse_service.settings import ALL_SCOPES, Settings
from abuse_service.storage.states import TABLES
from abuse_service.testing.tellings import event, stripe_event
from abuse_service.testing.world import NOW_MS
from abuse_service.wiring import Service

OPERATOR = Sender("operator", frozenset(ALL_SCOPES))
USER, OTHER = "ada-lovelace-42", "grace-hopper-7"
SAID = (
    USER,
    "ada.lovelace@example.com",
    "ada.secret@example.net",
    "198.51.100.77",
    "203.0.113.99",
    "AdaBrowser/1.0",
    "t13d1516h2_adaadaada",
    "Analytical City",
    "ada-hardware-fingerprint",
    "ada-session-id",
    "cus_AdaLovelace1",
    "ch_AdaLovelace1",
    "pi_AdaLovelace1",
    "pm_AdaLovelace1",
    "ada-card-fingerprint",
    "sold keys to Babbage",
    "the analytical engine weaves",
    "known from the salon",
    "ada-message-id",
)
"""All that anybody says of the person, none of it part of what others say."""


@asynccontextmanager
async def running(data: Path, **said: Any) -> AsyncIterator[Service]:
    """A service over a directory, started on this loop; at the end it is gone as after a power cut."""
    clock = iter(range(NOW_MS, NOW_MS + 10**9))
    service = Service(Settings(data=data, **said), now_ms=lambda: next(clock))
    await service.start()
    try:
        yield service
    finally:
        for task in service._keeping:
            task.cancel()
        await asyncio.gather(*service._keeping, return_exceptions=True)
        service.store.close()


async def ask(service: Service, user: str, **fields: Any) -> dict[str, Any]:
    """A classify request and its answer."""
    said = {"kilo_user_id": user, "requested_model": "example/model-1"} | fields
    answer: dict[str, Any] = json.loads(
        await service.flow.classify(json.dumps(said).encode(), "cloud", may_import=True)
    )
    return answer


async def send(service: Service, *events: dict[str, Any]) -> None:
    """A batch."""
    await service.flow.take_events(json.dumps({"events": events}).encode(), "cloud")


async def post(service: Service, path: str, **said: Any) -> dict[str, Any]:
    """An operator's change."""
    body = json.dumps(said).encode()
    answer: dict[str, Any] = json.loads(await answer_console(service, OPERATOR, "POST", path, "", body))
    return answer


def signed_in(user: str, **fields: Any) -> bytes:
    """The body of a sign-in."""
    said = {"kilo_user_id": user, "event_type": "signin", "email": f"{user}@example.org"} | fields
    return json.dumps(said).encode()


async def tell_life(service: Service) -> None:
    """The life of a person among others: events of all kinds, joins, lists, rejects, decisions, an older image."""
    flow = service.flow
    network = {"ip_address": "198.51.100.77", "user_agent": "AdaBrowser/1.0", "ja4_digest": "t13d1516h2_adaadaada"}
    device = {"stytch_hardware_fingerprint": "ada-hardware-fingerprint", "stytch_session_id": "ada-session-id"}
    mail = {"email": "ada.lovelace@example.com", "signup_ip": "203.0.113.99", "geo_city": "Analytical City"}
    await flow.take_auth(signed_in(USER, event_type="signup", **mail, **network, **device), "cloud")
    shared = {"stytch_hardware_fingerprint": "shared-device", "ip_address": "192.0.2.7"}
    for user in (USER, OTHER):
        await flow.take_auth(signed_in(user, **shared) if user == OTHER else signed_in(user, **mail, **shared), "cloud")
    for number in range(40):
        user = USER if number % 2 else f"stranger-{number}"
        own = network | {"user_prompt": "the analytical engine weaves"} if number % 2 else {"ip_address": "192.0.2.7"}
        answer = await ask(service, user, **own)
        message = f"ada-message-id-{number}" if number % 2 else f"message-{number}"
        cost = {"request_id": answer["request_id"], "message_id": message, "cost": 7}
        await flow.take_cost(json.dumps(cost | {"kilo_user_id": user}).encode(), "cloud")
    await service.keeper.take()
    card = {"card": {"fingerprint": "ada-card-fingerprint", "last4": "4242"}, "customer": "cus_AdaLovelace1"}
    await send(
        service,
        event("user.email_changed", NOW_MS, kilo_user_id=USER, email="ada.secret@example.net"),
        event("user.blocked", NOW_MS + 1, kilo_user_id=USER, reason="sold keys to Babbage"),
        event("billing.credit_purchased", NOW_MS + 2, kilo_user_id=USER, microdollars_acquired=5_000_000),
        event("billing.credit_purchased", NOW_MS + 3, kilo_user_id=OTHER, microdollars_acquired=3_000_000),
        event("org.member_added", NOW_MS + 4, kilo_user_id=USER, organization_id="org-1", role="member"),
        stripe_event("stripe.charge.dispute.created", {"id": "dp_1", "charge": "ch_AdaLovelace1"}, NOW_MS + 5),
        stripe_event(
            "stripe.payment_method.attached", {"id": "pm_AdaLovelace1", **card}, NOW_MS + 6, kilo_user_id=USER
        ),
        stripe_event(
            "stripe.payment_intent.succeeded",
            {"id": "pi_AdaLovelace1", "latest_charge": "ch_AdaLovelace1", "customer": "cus_AdaLovelace1", "amount": 9},
            NOW_MS + 7,
        ),
        event("user.email_changed", NOW_MS + 8, kilo_user_id=USER, email=5, previous_email="ada.secret@example.net"),
        event("user.blocked", NOW_MS + 9, reason="ada.lovelace@example.com"),
        event("game.played", NOW_MS + 10, kilo_user_id=USER, name="sold keys to Babbage"),
        event("user.blocked", NOW_MS + 11, kilo_user_id="stranger-2", reason="a stranger"),
    )
    await post(service, "lists/trusted/add", entry=f"user:{USER}", reason="known from the salon")
    await post(service, "lists/blocked/add", entry="mailbox:ada.lovelace@example.com", reason="known from the salon")
    await post(service, "lists/blocked/add", entry="user:stranger-2", reason="a reason that stays")
    await service.keeper.take()


async def erase(service: Service, trigger: str) -> None:
    """Ask for the erasure one way or the other, and wait until it is done."""
    if trigger == "user.deleted":
        await send(service, event("user.deleted", NOW_MS + 100, kilo_user_id=USER))
    else:
        await post(service, f"identities/user%3A{USER}/erase", reason="request 4711")
    await service.eraser.erase_pending()


def left_in(data: Path) -> list[tuple[str, str]]:
    """Which file of a directory still holds which of the texts."""
    files = [*data.rglob("*"), *data.parent.glob(f"{data.name}.*")]
    found = []
    for path in files:
        if path.is_file():
            kept = path.read_bytes()
            found += [(path.name, text) for text in SAID if text.encode() in kept]
    return found


class NoColdStates:
    """Nothing on disk but the log."""

    def __init__(self, service: Service) -> None:
        self.load_event = service.store.load_event

    def load(self, key: bytes) -> None:
        """Nothing."""

    def load_owners(self, join: bytes) -> dict[bytes, int]:
        """Nobody."""
        return {}

    def load_unnamed(self, join: bytes) -> list[int]:
        """Nothing."""
        return []

    def unnamed_joins(self) -> list[bytes]:
        """None."""
        return []


def rebuilt(service: Service) -> Projection:
    """Everything told again from the log alone, by a service that knows who was erased."""
    fresh = Projection(States(NoColdStates(service), 10**9), service.projection.catalog, service.namer.tokens)
    fresh.erasures.restore(service.store.erasures.known())
    for stored in service.store.read(0):
        retell(fresh, stored.position, stored.event)
    return fresh


def every_key(service: Service) -> set[bytes]:
    """The keys of all states, in memory and on disk."""
    states, read = service.projection.states, service.store._reader.execute
    kept = {key for table in TABLES for (key,) in read(f"SELECT key FROM {table}")}
    return kept | states._live.keys() | states._resting.keys()


def compare(service: Service) -> None:
    """Hold each state against what the log alone tells, byte for byte."""
    fresh, states = rebuilt(service), service.projection.states
    keys = every_key(service)
    assert keys >= fresh.states._live.keys()
    for key in keys:
        live, again = states.find(key), fresh.states.find(key)
        assert live is not None, key
        assert again is not None, key
        assert _ordered(live) == _ordered(again)
    learned = fresh.states.joins.begin_cut()
    for join in learned.claims.keys() | learned.unnamed.keys():
        assert states.joins.owners([join]) == fresh.states.joins.owners([join])
    assert states.joins.waiting == fresh.states.joins.waiting


def _ordered(state: Any) -> bytes:
    """A state's bytes, whatever order its maps were filled in."""
    return msgspec.msgpack.encode(_sorted(msgspec.msgpack.decode(pack(state))))


def _sorted(said: Any) -> Any:
    if isinstance(said, dict):
        return {key: _sorted(said[key]) for key in sorted(said)}
    return [_sorted(one) for one in said] if isinstance(said, list) else said


def states_but(service: Service, user: str) -> dict[bytes, bytes]:
    """Every state but one identity's."""
    own = service.namer.identity(f"user:{user}")
    states = service.projection.states
    return {key: pack(found) for key in every_key(service) - {own} if (found := states.find(key)) is not None}
