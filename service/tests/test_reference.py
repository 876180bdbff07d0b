"""The reference pages, held against the code that they describe."""

import re
import runpy
from pathlib import Path
from typing import Any, get_args, get_type_hints

import msgspec
import pytest

from abuse_client.contract import EVENT_CLASSES, AuthEventPayload, ClassifyPayload, CostPayload
from abuse_service.events.entity import EntityKind
from abuse_service.events.stripe import StripeSlice
from abuse_service.features.declaration import LARGEST_STEP, LONGEST_WINDOW_MS, SMALLEST_STEP, Aggregate
from abuse_service.features.rows import FEW_ROWS, GRACE_MS, LIFE_ROWS, MOST_ROWS
from abuse_service.features.top import LONGEST_TEXT
from abuse_service.identities.cases import MOST_PAIRS
from abuse_service.identities.fold_memberships import MOST_MEMBERSHIPS
from abuse_service.identities.fold_requests import MOST_DAYS, MOST_HOURS
from abuse_service.identities.fold_stripe import MOST_CURRENCIES, MOST_KEPT
from abuse_service.identities.networks import MOST_ADDRESSES, MOST_CLIENTS
from abuse_service.identities.record import MOST_CHECKS, MOST_HISTORY, MOST_MOVES, Record
from abuse_service.identities.state import IdentityState
from abuse_service.policy.policy import Policy
from abuse_service.testing import World, event

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
GENERATOR = runpy.run_path(str(ROOT / "service" / "tools" / "generate_reference.py"))
PAGES = sorted(REFERENCE.glob("*.md"))

IN_STATE = ("first_seen_ms", "last_seen_ms", "places")


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

RECORD_PAGE = (REFERENCE / "record.md").read_text("utf-8")
ITSELF = "itself"


def said_fields() -> dict[str, dict[str, str]]:
    """The rows of each heading of the record's page: fields and what the event itself says, with their places."""
    rows = re.sub(r"(?m)^\| \*the \w+\* \|", f"| `{ITSELF}` |", RECORD_PAGE)
    sections = re.split(r"(?m)^### ", rows)[1:]
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
STRIPE_TYPES = [name for name in EVENT_CLASSES if name.startswith("stripe.")]
NAMED = [pytest.param(heading, name, id=name) for heading in SAID for name in SECTIONS[heading]]


def wire_fields(name: str) -> set[str]:
    """The fields of a payload, or of the data of an event; of Stripe's also those that the service reads beside."""
    kind = PAYLOADS.get(name)
    if kind is None:
        event_class = EVENT_CLASSES[STRIPE_TYPES[0] if name == "stripe.*" else name]
        kind = event_class.__annotations__["data"]
    read = set(StripeSlice.__struct_fields__) - {"previous_attributes"} if name == "stripe.*" else set()
    return set(kind.__struct_fields__) - {"extra"} | read


@pytest.mark.parametrize(("heading", "name"), NAMED)
def test_every_wire_field_has_a_place(heading: str, name: str) -> None:
    """Each field of the wire is listed with its place, and no field that the wire does not have."""
    assert set(SAID[heading]) - {ITSELF} == wire_fields(name)


def test_what_is_not_kept_says_why() -> None:
    """A field that stays in its event says why it has no place in the record."""
    silent = re.findall(r"(?m)^\| `(\w+)` \| event \| *\|$", RECORD_PAGE)
    assert silent == []


def test_every_type_is_listed() -> None:
    """Each payload and each of the 17 types stands on the page."""
    named = {name for names in SECTIONS.values() for name in names}
    assert named == PAYLOADS.keys() | (EVENT_CLASSES.keys() - set(STRIPE_TYPES)) | {"stripe.*"}


def test_record_page_names_the_bounds() -> None:
    """The bounds that the page tells are those of the code."""
    text = " ".join(RECORD_PAGE.split())
    kept = f"`stripe.customers`, `.methods`, `.cards`, `.disputes`, `.warnings`, `.failures` | {MOST_KEPT} |"
    for said in (
        f"`stripe.charges` | {MOST_HISTORY} |",
        f"`checks` | {MOST_CHECKS} distinct |",
        f"`networks.addresses` | {MOST_ADDRESSES} weeks",
        f"`networks.clients` | {MOST_CLIENTS} weeks",
        f"`spend.days` | {MOST_HOURS} and {MOST_DAYS} ",
        f"`memberships` | {MOST_MEMBERSHIPS}, each with {MOST_MOVES} moves |",
        kept,
        f"| {MOST_CURRENCIES} currencies |",
        f"`stripe.pairs` | {MOST_PAIRS} |",
    ):
        assert said in text


def record_places(kind: type[msgspec.Struct] = Record, above: str = "") -> set[str]:
    """The fields of the record, and of what stands in them, as ``section.field``."""
    places: set[str] = set()
    for name, hint in get_type_hints(kind).items():
        inner = _struct_in(hint)
        places |= record_places(inner, f"{above}{name}.") if inner else {above + name}
    return places


def _struct_in(hint: Any) -> type[msgspec.Struct] | None:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return hint
    return next((found for part in get_args(hint) if (found := _struct_in(part)) is not None), None)


def places_in(cell: str) -> set[str]:
    """The places that a cell of the page names, links among them."""
    places, _, links = cell.partition("links: ")
    return set(re.findall(r"`([\w.]+)`", places)) | {f"link {kind}" for kind in links.split(", ") if kind}


def test_every_place_has_a_source() -> None:
    """Each field of the record and of what stands in it, and each kind of link, is filled by some field."""
    named = {place for fields in SAID.values() for cell in fields.values() for place in places_in(cell)}
    links = {f"link {kind.name.lower()}" for kind in EntityKind} - {"link user", *COMPOSITES}
    assert named == record_places() | links | set(IN_STATE)


SAMPLES: dict[str, Any] = {
    "org_memberships": [{"organization_id": "o1"}],
    "cohorts": ["a"],
    "auth_providers": ["google"],
    "event_type": "signup",
    "cost": 7,
    "request_id": 7,
    "ip_address": "192.0.2.1",
    "geo_country": "AT",
    "geo_latitude": 47.1,
    "geo_longitude": 15.4,
    "system_prompt": "You sort letters by their senders, nothing else.",
    "email": "grace@example.org",
    "data": {"object": {"customer": "cus_2"}},
    "account_created_at": "2024-05-01T00:00:00Z",
    "outcome": {"reason": "highest_risk_level"},
    "card": {"fingerprint": "card-1", "brand": "visa"},
    "payment_method_details": {"card": {"fingerprint": "card-1", "brand": "visa"}},
    "charges": {"data": [{"payment_method_details": {"card": {"fingerprint": "card-1"}}}]},
}
NUMBERS = {
    "input_tokens", "output_tokens", "microdollars_acquired", "total_microdollars_acquired", "streak_months", "amount",
    "amount_received",
}  # fmt: skip
LEAST: dict[str, dict[str, Any]] = {
    "/api/auth-event": {"email": "ada@example.com"},
    "/api/usage/cost": {"request_id": 1, "message_id": "m", "cost": 1},
    "user.email_changed": {"email": "ada@example.com"},
    "billing.credit_purchased": {"microdollars_acquired": 1},
} | {name: {"organization_id": "o0"} for name in EVENT_CLASSES if name.startswith("org.")}
BESIDE: dict[str, dict[str, Any]] = {
    "geo_city": {"ip_address": "192.0.2.9"},
    "geo_country": {"ip_address": "192.0.2.9"},
    "geo_latitude": {"geo_longitude": 15.4},
    "geo_longitude": {"geo_latitude": 47.1},
}
"""What must be said with a field, so that it says something."""
STRIPE_BESIDE: dict[str, list[dict[str, Any]]] = {
    "amount": [{"currency": "usd"}],
    "amount_received": [{"currency": "usd"}],
    "currency": [{"amount": 5}],
    "charge": [{}, {"payment_intent": "pi_1"}],
    "latest_charge": [{}, {"payment_intent": "pi_1"}],
    "payment_intent": [{}, {"charge": "ch_1"}],
    "id": [{}, {"payment_intent": "pi_1"}],
}
SEVERAL: dict[str, list[Any]] = {
    "id": ["evt_2", "ch_2", "pi_2", "pm_2", "dp_2"],
    "actionable": [True],
    "is_free": [True, False],
}
COMPOSITES = ("link fingerprint", "link network_ja4")
"""Links that take several fields: the page tells of them beside its tables."""
LINKS = {kind.value: f"link {kind.name.lower()}" for kind in EntityKind}


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
        world.send(event(name, kilo_user_id="u1", **fields))
    return world


def places_of(world: World) -> dict[str, Any]:
    """What stands in each place of the record, and the kinds of its links."""
    state: IdentityState = world.identity("user:u1")
    found: dict[str, Any] = {}
    _spread(found, "", state.record)
    links = {LINKS[key[:1]]: key for key in (*state.strong, *state.weak)}
    return found | links | {name: getattr(state, name) for name in IN_STATE}


def _spread(found: dict[str, Any], above: str, value: Any, name: str = "") -> None:
    """Every field by its place; of several that stand beside one another each under its name."""
    if isinstance(value, msgspec.Struct):
        for field in value.__struct_fields__:
            _spread(found, f"{above}.{field}".lstrip("."), getattr(value, field), name)
    elif isinstance(value, dict) and any(isinstance(item, msgspec.Struct) for item in value.values()):
        for key, item in value.items():
            _spread(found, above, item, f"{name}/{key}")
    elif isinstance(value, list) and any(_struct_of(item) for item in value):
        for place, item in enumerate(value):
            _spread(found, above, _struct_of(item), f"{name}/{place}")
    elif value or value is False:
        found.setdefault(above, []).append((name, _unstamped(value)))


def _struct_of(item: Any) -> msgspec.Struct | None:
    candidates = item if isinstance(item, tuple) else (item,)
    return next((one for one in candidates if isinstance(one, msgspec.Struct)), None)


def _unstamped(value: Any) -> Any:
    """The value with the tie breakers of its stamps left out: they hash the event's bytes."""
    if isinstance(value, tuple) and len(value) == 3 and isinstance(value[2], bytes):
        return value[:2]
    if isinstance(value, dict):
        return {key: _unstamped(item) for key, item in value.items()}
    return [_unstamped(item) for item in value] if isinstance(value, list | tuple) else value


def changed_by(name: str, field: str, beside: dict[str, Any]) -> set[str]:
    """The places that differ where a field is said and where it is not."""
    without = places_of(told(name, beside))
    changed: set[str] = set()
    for value in SEVERAL.get(field, [sample(field)]):
        with_it = places_of(told(name, beside | {field: value}))
        changed |= {part for part in without.keys() | with_it.keys() if without.get(part) != with_it.get(part)}
    return changed


EVENTS_OWN = {ITSELF, "kilo_user_id", "event_type", "event_id", "occurred_at"}
FIELDS = [
    pytest.param(name, field, cell, id=f"{name} {field}")
    for heading, fields in SAID.items()
    for name in SECTIONS[heading]
    for field, cell in fields.items()
    if field not in EVENTS_OWN and name != "stripe.*"
]
STRIPE_FIELDS = [(field, cell) for field, cell in SAID["`stripe.*`"].items() if field not in EVENTS_OWN]


@pytest.mark.parametrize(("name", "field", "cell"), FIELDS)
def test_field_goes_to_its_place(name: str, field: str, cell: str) -> None:
    """A field changes exactly the places of the record that the page names for it, and nothing else."""
    assert changed_by(name, field, BESIDE.get(field, {})) == places_in(cell)


@pytest.mark.parametrize(("field", "cell"), STRIPE_FIELDS)
def test_stripe_field_goes_to_its_places(field: str, cell: str) -> None:
    """Over Stripe's seven types a field changes exactly the places that the page names for it."""
    changed: set[str] = set()
    for name in STRIPE_TYPES:
        for beside in STRIPE_BESIDE.get(field, [{}]):
            changed |= changed_by(name, field, beside)
    assert changed == places_in(cell)


@pytest.mark.parametrize(("heading", "name"), NAMED)
def test_event_itself_goes_to_its_place(heading: str, name: str) -> None:
    """An event that says the least changes what the page names for it, and for the fields that it must have."""
    names = STRIPE_TYPES if name == "stripe.*" else [name]
    blank = {"first_seen_ms", "last_seen_ms", "places"}
    changed = {place for one in names for place in places_of(told(one, {}))} - blank
    fields = SAID[heading]
    required = {"event_type"} | LEAST.get(name, {}).keys()
    expected = {place for field in (ITSELF, *required) for place in places_in(fields.get(field, ""))}
    assert changed == expected
