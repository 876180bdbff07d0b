"""The reference pages, held against the code that they describe."""

import re
import runpy
from pathlib import Path
from typing import Any

import msgspec
import pytest

from abuse_client.contract import EVENT_CLASSES, AuthEventPayload, ClassifyPayload, CostPayload
from abuse_service.events.entity import EntityKind
from abuse_service.features.declaration import LARGEST_STEP, LONGEST_WINDOW_MS, SMALLEST_STEP, Aggregate
from abuse_service.features.rows import FEW_ROWS, GRACE_MS, LIFE_ROWS, MOST_ROWS
from abuse_service.features.top import LONGEST_TEXT
from abuse_service.identities.record import Record
from abuse_service.identities.state import IdentityState
from abuse_service.policy.policy import Policy
from abuse_service.testing import NOW_MS, World, event

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
GENERATOR = runpy.run_path(str(ROOT / "service" / "tools" / "generate_reference.py"))
PAGES = sorted(REFERENCE.glob("*.md"))

IN_STATE = {"first_seen_ms", "last_seen_ms"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_tables_are_up_to_date(page: Path) -> None:
    """Each generated table says what the code says."""
    text = page.read_text("utf-8")
    assert text == GENERATOR["page_with_tables"](text), "run `make generate`"


def test_every_table_stands_somewhere() -> None:
    """Each table that is made stands on exactly one page."""
    found = re.findall(r"<!-- (\w+): generated -->", "".join(page.read_text("utf-8") for page in PAGES))
    assert sorted(found) == sorted(GENERATOR["tables"]())


def test_policy_page_shows_a_policy() -> None:
    """The policy that the page shows is taken as it stands."""
    [example] = re.findall(r"```yaml\n(.*?)```", (REFERENCE / "policy.md").read_text("utf-8"), flags=re.DOTALL)
    assert [rule.text.id for rule in Policy(example).rules] == ["too-fast"]


def test_every_aggregate_has_its_bounds() -> None:
    """The page says of each aggregate, once, how exact it is."""
    assert sorted(name for names, *_ in GENERATOR["EXACTNESS"] for name in names) == sorted(Aggregate)


def test_policy_page_names_the_limits() -> None:
    """The limits that the page tells are those of the code."""
    text = (REFERENCE / "policy.md").read_text("utf-8")
    text = " ".join(text.split())
    assert f"stops at {MOST_ROWS:,}" in text
    assert f"has {FEW_ROWS} events or fewer" in text
    assert f"from {SMALLEST_STEP} to {LARGEST_STEP}" in text
    assert f"from {GRACE_MS // 60_000} minutes before" in text
    assert f"the newest {LIFE_ROWS} events" in text
    assert f"cut to {LONGEST_TEXT} characters" in text
    assert f"to `{LONGEST_WINDOW_MS // 86_400_000}d`" in text


# the record


def said_fields() -> dict[str, dict[str, str]]:
    """The fields of each heading of the record's page, with their places."""
    text = (REFERENCE / "record.md").read_text("utf-8")
    sections = re.split(r"(?m)^### ", text)[1:]
    return {
        section.splitlines()[0]: dict(re.findall(r"(?m)^\| `(\w+)` \| (.*?) \| .*\|$", section))
        for section in sections
    }  # fmt: skip


SAID = said_fields()
SECTIONS: dict[str, tuple[str, ...]] = {heading: tuple(re.findall(r"`([^`]+)`", heading)) for heading in SAID}
PAYLOADS: dict[str, type[Any]] = {
    "/api/auth-event": AuthEventPayload,
    "/api/classify": ClassifyPayload,
    "/api/usage/cost": CostPayload,
}


def wire_fields(name: str) -> set[str]:
    """The fields of a payload, or of the data of an event."""
    kind = PAYLOADS.get(name)
    if kind is None:
        event_class = EVENT_CLASSES["stripe.charge.failed" if name == "stripe.*" else name]
        kind = event_class.__annotations__["data"]
    return set(kind.__struct_fields__) - {"extra"}


@pytest.mark.parametrize(("heading", "name"), [(heading, name) for heading in SAID for name in SECTIONS[heading]])
def test_every_wire_field_has_a_place(heading: str, name: str) -> None:
    """Each field of the wire is listed with its place, and no field that the wire does not have."""
    assert set(SAID[heading]) == wire_fields(name)


def test_every_type_is_listed() -> None:
    """Each payload and each of the 17 types stands on the page."""
    named = {name for names in SECTIONS.values() for name in names}
    stripe = {name for name in EVENT_CLASSES if name.startswith("stripe.")}
    assert named == PAYLOADS.keys() | (EVENT_CLASSES.keys() - stripe) | {"stripe.*"}


def test_every_place_has_a_source() -> None:
    """Each section of the record, and each kind of link, is filled by some field."""
    places = "; ".join(place for fields in SAID.values() for place in fields.values())
    sections = set(re.findall(r"`(\w+)`", places)) - IN_STATE
    assert sections == set(Record.__struct_fields__)
    kinds = {kind.strip() for found in re.findall(r"links: ([\w, ]+)", places) for kind in found.split(",")}
    assert kinds == {kind.name.lower() for kind in EntityKind} - {"user", "card", "fingerprint"}


SAMPLES: dict[str, Any] = {
    "org_memberships": [{"organization_id": "o1"}],
    "cohorts": ["a"],
    "auth_providers": ["google"],
    "occurred_at": NOW_MS - 1000,
    "event_type": "signup",
    "cost": 7,
    "request_id": 7,
    "microdollars_acquired": 5,
    "ip_address": "192.0.2.1",
    "system_prompt": "You sort letters by their senders, nothing else.",
    "email": "grace@example.org",
    "data": {"object": {"customer": "cus_2"}},
    "account_created_at": "2024-05-01T00:00:00Z",
}
NUMBERS = {"input_tokens", "output_tokens", "total_microdollars_acquired", "streak_months", "amount"}
LEAST: dict[str, dict[str, Any]] = {
    "/api/usage/cost": {"request_id": 1, "message_id": "m", "cost": 1},
    "user.email_changed": {"email": "ada@example.com"},
    "billing.credit_purchased": {"microdollars_acquired": 1},
    "stripe.*": {},
} | {name: {"organization_id": "o0"} for name in EVENT_CLASSES if name.startswith("org.")}


def sample(field: str) -> Any:
    """A value that the field may hold."""
    if field in SAMPLES:
        return SAMPLES[field]
    is_flag = field.startswith(("is_", "has_", "in_", "completed_")) or field == "stytch_is_authentic_device"
    return True if is_flag else 3 if field in NUMBERS else f"some {field}"


def told(name: str, said: dict[str, Any]) -> World:
    """A world that was told one event with these fields."""
    world = World()
    fields = LEAST.get(name, {}) | said
    if name == "/api/auth-event":
        world.sign_in(**fields)
    elif name == "/api/classify":
        world.classify(**fields)
    elif name == "/api/usage/cost":
        world.report_cost(**fields)
    else:
        world.send(
            event("stripe.payment_intent.succeeded" if name == "stripe.*" else name, kilo_user_id="u1", **fields)
        )
    return world


def places_of(world: World) -> dict[str, Any]:
    """What stands in each section of the record, and the kinds of its links."""
    state: IdentityState = world.identity("user:u1")
    places = {
        section: msgspec.to_builtins(_unstamped(getattr(state.record, section))) for section in Record.__struct_fields__
    }
    kinds = {kind.value: kind.name.lower() for kind in EntityKind}
    links = {f"link {kinds[key[:1]]}": key for key in (*state.strong, *state.weak)}
    return places | links | {name: getattr(state, name) for name in IN_STATE}


def _unstamped(value: Any) -> Any:
    """The value with the tie breakers of its stamps left out: they hash the event's bytes."""
    if isinstance(value, bytes):
        return b""
    if isinstance(value, msgspec.Struct):
        return [_unstamped(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, dict):
        return {key: _unstamped(item) for key, item in value.items()}
    return [_unstamped(item) for item in value] if isinstance(value, list | tuple) else value


FIELDS = [
    pytest.param(name, field, place, id=f"{name} {field}")
    for heading, fields in SAID.items()
    for name in SECTIONS[heading]
    for field, place in fields.items()
    if field not in ("kilo_user_id", "event_type", "event_id", "occurred_at") and (name, field) != ("stripe.*", "id")
]


@pytest.mark.parametrize(("name", "field", "place"), FIELDS)
def test_field_goes_to_its_place(name: str, field: str, place: str) -> None:
    """A field changes exactly the places of the record that the page names for it, and nothing else."""
    without, with_it = places_of(told(name, {})), places_of(told(name, {field: sample(field)}))
    changed = {part for part in without.keys() | with_it.keys() if without.get(part) != with_it.get(part)}
    sections, _, links = place.partition("links: ")
    expected = set(re.findall(r"`(\w+)`", sections)) | {f"link {kind}" for kind in links.split(", ") if kind}
    if field == "decline_code":
        expected = set()  # a payment has none; see the joins' tests for failures
    assert changed == expected
