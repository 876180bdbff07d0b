"""Blocking and unblocking, one by one and in bulk."""

from typing import Any
from uuid import uuid4

from sqlalchemy import select

from cloud.accounts.models import User
from cloud.reporting import MAX_EVENTS_A_BATCH
from cloud.story.person import Person
from cloud.testing import Town


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


def test_corrected_address_is_reported(town: Town, user: Person) -> None:
    """An address that an administrator corrects is a change of address too."""
    previous, email = user.email, f"corrected-{user.email}"
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/email", json={"email": email})
    [event] = town.events("user.email_changed")
    assert (event["data"]["previous_email"], event["data"]["email"]) == (previous, email)


def test_users_may_not_administer(town: Town, user: Person, another: Person) -> None:
    """Only administrators block."""
    path = f"/admin/users/{another.kilo_user_id}/block"
    assert user.send("POST", path, json={"reason": "revenge"}).status_code == 403
    assert town.newcomer().send("POST", path, json={"reason": "revenge"}).status_code == 401
    assert town.events() == []
