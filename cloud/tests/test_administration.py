"""Blocking and unblocking, one by one and in bulk."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from cloud.accounts.models import User
from cloud.reporting import MAX_EVENTS_A_BATCH
from cloud.story.person import Person
from cloud.testing import Town


@pytest.fixture
def town(each_town: Town) -> Town:
    return each_town


def block(town: Town, user: Person, reason: str = "resale") -> Any:
    return town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/block", json={"reason": reason}).json()


def add_users(town: Town, number: int) -> list[str]:
    """Put users into the table without the ceremony of signing up."""
    ids = [str(uuid4()) for _ in range(number)]
    with town.running.cloud.database.writing() as session:
        now = town.running.cloud.clock()
        session.add_all(User(id=i, email=f"{i}@example.com", email_normalised=i, created_at=now) for i in ids)
    return ids


def test_block_names_actor_and_reason(town: Town, user: Person) -> None:
    """A block by a person tells who did it and why, at the time when it was done."""
    block(town, user)
    [event] = town.events()
    assert event["type"] == "user.blocked"
    assert event["data"] == {
        "kilo_user_id": user.kilo_user_id,
        "reason": "resale",
        "actor_email": town.admin.email,
    }
    with town.running.cloud.database.reading() as session:
        blocked_at = session.scalars(select(User.blocked_at).where(User.id == user.kilo_user_id)).one()
    assert blocked_at is not None
    assert event["occurred_at"] == int(blocked_at.timestamp() * 1000)


def test_other_reason_is_no_block(town: Town, user: Person) -> None:
    """Changing only the reason of a block reports nothing."""
    assert block(town, user) == {"changed": True}
    assert block(town, user, "resale, confirmed") == {"changed": False}
    assert [event["data"]["reason"] for event in town.events()] == ["resale"]


def test_blocks_at_once_are_one(town: Town, user: Person) -> None:
    """Of administrators who block the same user at the same instant one blocks him, and one event leaves."""
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: block(town, user, f"reason {number}"), range(6)))
    assert sorted(answer["changed"] for answer in answers) == [False] * 5 + [True]
    assert len(town.events("user.blocked")) == 1


def test_unblock_is_reported_once(town: Town, user: Person) -> None:
    """Lifting a block is an event; lifting none is nothing."""
    block(town, user)
    town.forget()
    for _ in range(2):
        town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/unblock", json={"reason": "appeal"})
    [event] = town.events()
    assert event["type"] == "user.unblocked"
    assert event["data"] == {
        "kilo_user_id": user.kilo_user_id,
        "reason": "appeal",
        "actor_email": town.admin.email,
    }


def test_bulk_block_is_cut_into_chunks(town: Town) -> None:
    """A long list leaves in batches of at most 200 events, and each user is blocked once."""
    ids = add_users(town, 450)
    wish = {"kilo_user_ids": [*ids, ids[0], "nobody"], "reason": "farm"}
    answer = town.admin.do("POST", "/admin/users/bulk-block", json=wish).json()
    assert (len(answer["blocked"]), answer["unknown"]) == (450, ["nobody"])
    batches = [len(body["events"]) for body in town.arrived("/api/events")]
    assert sum(batches) == 450
    assert max(batches) <= MAX_EVENTS_A_BATCH
    assert {event["data"]["kilo_user_id"] for event in town.events("user.blocked")} == set(ids)
    assert {event["data"]["actor_email"] for event in town.events()} == {town.admin.email}


def test_bulk_block_skips_the_blocked(town: Town) -> None:
    """Who is blocked already is not blocked again."""
    ids = add_users(town, 3)
    town.admin.do("POST", "/admin/users/bulk-block", json={"kilo_user_ids": ids[:2], "reason": "farm"})
    town.forget()
    answer = town.admin.do("POST", "/admin/users/bulk-block", json={"kilo_user_ids": ids, "reason": "farm"})
    assert answer.json()["already_blocked"] == ids[:2]
    assert [event["data"]["kilo_user_id"] for event in town.events()] == ids[2:]


def test_ten_thousand_are_blocked(one_town: Town) -> None:
    """The longest list that is taken is blocked whole, in batches of a length; a longer one is refused."""
    one_town.forget()
    ids = add_users(one_town, 10_000)
    answer = one_town.admin.do("POST", "/admin/users/bulk-block", json={"kilo_user_ids": ids, "reason": "farm"}).json()
    assert len(answer["blocked"]) == 10_000
    batches = [len(body["events"]) for body in one_town.arrived("/api/events")]
    assert (sum(batches), max(batches) <= MAX_EVENTS_A_BATCH) == (10_000, True)
    more = {"kilo_user_ids": [*ids, "one-more"], "reason": "farm"}
    assert one_town.admin.send("POST", "/admin/users/bulk-block", json=more).status_code == 422


def test_bulk_unblock_takes_reason_and_date(town: Town) -> None:
    """Only blocks of that reason that began in that time are lifted, each with actor and reason."""
    reason, other = f"farm {uuid4().hex}", f"spam {uuid4().hex}"
    ids, others = add_users(town, 3), add_users(town, 1)
    for wish in ({"kilo_user_ids": ids, "reason": reason}, {"kilo_user_ids": others, "reason": other}):
        town.admin.do("POST", "/admin/users/bulk-block", json=wish)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    with town.running.cloud.database.writing() as session:
        session.get_one(User, ids[0]).blocked_at = long_ago
    town.forget()
    now = datetime.now(UTC)
    wish = {"blocked_reason": reason, "reason": "a mistake", "since": str(now - timedelta(hours=1)), "until": str(now)}
    first, second = (town.admin.do("POST", "/admin/users/bulk-unblock", json=wish).json() for _ in range(2))
    assert (sorted(first["kilo_user_ids"]), second["kilo_user_ids"]) == (sorted(ids[1:]), [])
    told = [event["data"] for event in town.events()]
    assert {(data["reason"], data["actor_email"]) for data in told} == {("a mistake", town.admin.email)}
    assert sorted(data["kilo_user_id"] for data in told) == sorted(ids[1:])


def test_audit_tells_who_did_what(town: Town, user: Person) -> None:
    """Each deed stands in the list with actor and reason, the newest first; one that changed nothing does not."""
    block(town, user)
    block(town, user, "resale, confirmed")
    block(town, user, "resale, confirmed")
    for _ in range(2):
        town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/unblock", json={"reason": "appeal"})
    wish = {"microdollars": 5, "note": "sorry"}
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/credits", json=wish)
    found = town.admin.do("GET", "/admin/audit", params={"user_id": user.kilo_user_id}).json()
    assert [(entry["action"], entry["reason"]) for entry in found] == [
        ("granted", "sorry"),
        ("unblocked", "appeal"),
        ("reason_changed", "resale, confirmed"),
        ("blocked", "resale"),
    ]
    assert {entry["actor_email"] for entry in found} == {town.admin.email}


def test_corrected_address_is_reported(town: Town, user: Person) -> None:
    """An address that an administrator corrects is a change of address too."""
    previous, email = user.email, f"corrected-{user.email}"
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/email", json={"email": email})
    [event] = town.events("user.email_changed")
    assert (event["data"]["previous_email"], event["data"]["email"]) == (previous, email)


@pytest.mark.parametrize("text", ["a\0b", "\ud83d"])
def test_unstorable_text_is_refused(town: Town, user: Person, text: str) -> None:
    """A text that the database cannot keep is the request's fault, or kept where it can be; never an outage."""
    body = json.dumps({"reason": text}).encode()
    path = f"/admin/users/{user.kilo_user_id}/block"
    answer = town.admin.send("POST", path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in {200, 422}
    assert answer.status_code == 422 or text == "a\0b"


def test_users_may_not_administer(town: Town, user: Person, another: Person) -> None:
    """Only administrators administer."""
    path = f"/admin/users/{another.kilo_user_id}/block"
    for address, methods in user.do("GET", "/openapi.json").json()["paths"].items():
        for method in methods if address.startswith("/admin") else ():
            assert user.send(method, re.sub(r"{\w+}", "x", address), json={}).status_code == 403, address
    assert user.send("POST", path, json={"reason": "revenge"}).status_code == 403
    assert town.newcomer().send("POST", path, json={"reason": "revenge"}).status_code == 401
    assert town.events() == []
