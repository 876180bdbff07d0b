"""Batches over HTTP: counted once, rejected singly, never lost."""

import json

import pytest

from abuse_client.contract import EVENT_CLASSES, MAX_BATCH_EVENTS


def blocked(user, **more):
    return {"type": "user.blocked", "data": {"kilo_user_id": user, "reason": "spam"}} | more


def purchase(user, microdollars=1_000_000, **more):
    data = {"kilo_user_id": user, "microdollars_acquired": microdollars}
    return {"type": "billing.credit_purchased", "data": data} | more


def credits(service, user):
    return service.identity(f"user:{user}")["record"]["credits"]


def test_same_batch_twice_counts_once(service):
    """The same batch again, or half of it, changes nothing and says duplicates."""
    batch = [purchase("twice", 5, event_id=f"p-{number}") for number in range(10)]
    first, second, half = service.events(*batch), service.events(*batch), service.events(*batch[:5])
    assert first.status_code == 202
    assert first.json()["accepted"] == 10
    assert (second.json()["accepted"], second.json()["duplicates"]) == (0, 10)
    assert (half.json()["accepted"], half.json()["duplicates"]) == (0, 5)
    assert credits(service, "twice")["paid_microdollars"] == 50


def test_equal_purchases_without_ids_are_two(service):
    """Two equal purchases without ids in one batch are two."""
    answer = service.events(purchase("equal", 7), purchase("equal", 7))
    assert answer.json()["accepted"] == 2
    assert credits(service, "equal")["purchases"] == 2


def test_time_and_content_make_an_id(service):
    """Where occurred_at is given, equal content at the same time is one event."""
    event = purchase("timed", 7, occurred_at=1_700_000_000_000)
    assert service.events(event, event).json()["duplicates"] == 1
    later = purchase("timed", 7, occurred_at=1_700_000_000_001)
    assert service.events(event, later).json() | {} == {
        "accepted": 1,
        "duplicates": 1,
        "unknown_types": [],
        "rejected": [],
        "conflicts": 0,
    }
    assert credits(service, "timed")["purchases"] == 2


def test_same_id_other_content_is_reported(service):
    """The same id with other content is a conflict: not counted, kept, reported."""
    service.events(purchase("conflict", 1, event_id="c-1"))
    answer = service.events(purchase("conflict", 2, event_id="c-1")).json()
    assert (answer["duplicates"], answer["conflicts"]) == (1, 1)
    assert credits(service, "conflict")["paid_microdollars"] == 1
    kept = service.client.get("/api/console/rejected").json()["rejected"]
    assert [row["path"] for row in kept if '"c-1"' in row["body"]] == ["event_id"]


def test_one_bad_event_fails_alone(service):
    """One bad event is rejected with its path and kept; the others count."""
    bad = {"type": "user.email_changed", "data": {"kilo_user_id": "alone"}}
    answer = service.events(blocked("alone"), bad, purchase("alone")).json()
    assert answer["accepted"] == 2
    assert answer["rejected"] == [
        {"index": 1, "path": "data.email", "message": "required, but missing or null"},
    ]
    kept = service.client.get("/api/console/rejected").json()["rejected"]
    mine = [row for row in kept if '"alone"' in row["body"]]
    assert [json.loads(row["body"]) for row in mine] == [bad]
    mended = {"type": "user.email_changed", "data": {"kilo_user_id": "alone", "email": "new@example.com"}}
    again = service.post(f"/api/console/rejected/{mine[0]['rejected_id']}/retry", mended)
    assert again.json()["accepted"] == 1
    assert service.identity("user:alone")["record"]["profile"]["email"] == "new@example.com"
    twice = service.post(f"/api/console/rejected/{mine[0]['rejected_id']}/retry", mended)
    assert (twice.status_code, twice.json()["error"]["path"]) == (400, "rejected_id")
    left = service.client.get("/api/console/rejected").json()["rejected"]
    assert mine[0]["rejected_id"] not in [row["rejected_id"] for row in left]


def test_unknown_type_is_kept(service):
    """An unknown type is accepted, kept as it came, and logged once."""
    event = {"type": "user.teleported", "data": {"kilo_user_id": "far", "to": [1, None]}, "odd": {"x": 1}}
    for _ in range(2):
        answer = service.events(event)
        assert answer.json()["unknown_types"] == ["user.teleported"]
    assert [kept["body"] for kept in service.log_events(-1)] == [event]
    assert service.log_text().count("user.teleported") == 1


def test_batch_above_limit_is_refused(service):
    """A batch takes 10,000 events; above that 413 names the limit, and nothing is kept."""
    most = [{"type": "user.deleted", "data": {"kilo_user_id": "bulk"}}] * MAX_BATCH_EVENTS
    assert service.events(*most).json()["accepted"] == MAX_BATCH_EVENTS
    position = service.log_events(-1)[-1]["position"]
    answer = service.events(*most, most[0])
    assert answer.status_code == 413
    assert str(MAX_BATCH_EVENTS) in answer.json()["error"]["message"]
    assert service.log_events(-1)[-1]["position"] == position


def test_every_type_has_a_counter(run_service, golden):
    """All 17 types are taken and counted by type; an unknown type never becomes a label."""
    service = run_service()
    service.post("/api/events", (golden / "60-one-of-each-type.events.json").read_bytes())
    service.events({"type": "made.up.by.sender", "data": {}})
    metrics = service.client.get("/metrics").text
    for name in EVENT_CLASSES:
        assert f'abuse_events_total{{type="{name}"}} 1.0' in metrics
    assert "made.up" not in metrics


def ids_of(webhook):
    """The ids by which an event can be joined: of its object, and those that the object names."""
    subject = webhook["data"]["object"]
    names = ("customer", "charge", "payment_intent", "payment_method", "latest_charge")
    found = {name: subject[name] for name in names if subject.get(name)}
    if subject["object"] in names:
        found[subject["object"]] = subject["id"]
    return found or webhook["data"]["previous_attributes"]


@pytest.mark.parametrize("folder", ["composed", "stripe-ruby-mock"])
def test_stripe_fixtures_join_their_user(run_service, stripe_fixtures, folder):
    """Whole webhook events in Stripe's shapes are accepted, and joined by whatever id they carry once it is known."""
    service = run_service()
    webhooks = [json.loads(path.read_bytes()) for path in sorted((stripe_fixtures / folder).glob("*.json"))]
    assert len(webhooks) >= 6
    batch = [{"type": f"stripe.{event['type']}", "data": event} for event in webhooks]
    answer = service.events(*batch).json()
    assert (answer["accepted"], answer["rejected"], answer["unknown_types"]) == (len(batch), [], [])
    assert service.client.get("/api/console/identities/user:owner").status_code == 404
    learned = [
        {"type": "stripe.charge.failed", "data": ids_of(event) | {"kilo_user_id": "owner"}} for event in webhooks
    ]
    service.events(*learned)
    counts = service.identity("user:owner")["record"]["event_counts"]
    expected = dict.fromkeys((event["type"] for event in batch), 1)
    expected["stripe.charge.failed"] += len(learned)
    assert counts == expected
