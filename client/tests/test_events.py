"""The constructors: one for each of the 17 events, each making what the contract's schema allows."""

import inspect
import json

import jsonschema
import pytest

from abuse_client import events
from abuse_client.contract import EVENT_CLASSES, decode_event, encode, json_schema

FIELDS = {
    "kilo_user_id": "user-1",
    "organization_id": "org-1",
    "reason": "chargeback",
    "actor_email": "admin@example.com",
    "email": "new@example.com",
    "previous_email": "old@example.com",
    "role": "member",
    "plan": "teams",
    "has_sso": True,
    "in_free_trial": False,
    "microdollars_acquired": 20_000_000,
    "total_microdollars_acquired": 30_000_000,
    "is_free": False,
    "tier": "tier_19",
    "status": "active",
    "streak_months": 2,
    "data": {"id": "evt_1", "customer": {"id": "cus_1"}, "charge": "ch_1", "amount": 2000},
    "occurred_at": 1714566896000,
    "event_id": "event-1",
}


def constructor(wire_type):
    return getattr(events, wire_type.replace(".", "_"))


def arguments(make, *, required_only=False):
    parameters = inspect.signature(make).parameters.values()
    return {
        one.name: FIELDS[one.name]
        for one in parameters
        if one.kind is not one.VAR_KEYWORD and (one.default is one.empty or not required_only)
    }


def test_all_types_have_one():
    """Each of the 17 types has a constructor named after it, and there are no others."""
    assert sorted(events.__all__) == sorted(name.replace(".", "_") for name in EVENT_CLASSES)


@pytest.mark.parametrize("wire_type", EVENT_CLASSES)
@pytest.mark.parametrize("required_only", [True, False])
def test_each_makes_its_event(wire_type, required_only):
    """Whatever is given arrives under its wire name, and the result keeps the published schema."""
    make = constructor(wire_type)
    given = arguments(make, required_only=required_only)
    event = make(**given)
    assert type(event) is EVENT_CLASSES[wire_type]
    wire = json.loads(encode(event))
    jsonschema.validate(wire, json_schema(type(event).__name__))
    inner = given.pop("data", {})
    head = {name: given.pop(name) for name in ("occurred_at", "event_id") if name in given}
    assert wire == {"type": wire_type, **head, "data": {**inner, **given}}


@pytest.mark.parametrize("wire_type", [name for name in EVENT_CLASSES if not name.startswith("stripe.")])
def test_further_fields_are_kept(wire_type):
    """A field that the contract does not know yet rides along."""
    make = constructor(wire_type)
    event = make(**arguments(make, required_only=True), shoe_size=43)
    assert json.loads(encode(event))["data"]["shoe_size"] == 43
    assert decode_event(json.loads(encode(event))) == event


def test_stripe_slice_is_passed_through():
    """Stripe's data leaves as it came, with the owner added; the caller's mapping stays as it was."""
    data = {"id": 7, "data": {"object": {"id": "pm_1"}, "previous_attributes": {"customer": "cus_1"}}, "amount": "?"}
    before = json.dumps(data)
    event = events.stripe_payment_method_detached(data, kilo_user_id="user-1", organization_id="org-1")
    assert json.loads(encode(event))["data"] == data | {"kilo_user_id": "user-1", "organization_id": "org-1"}
    assert json.dumps(data) == before
