"""The backfill, on SQLite and PostgreSQL: what was told is told again word for word, and what never was, once."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, select

from abuse_client import AbuseClient
from cloud.accounts.models import User
from cloud.backfill.service import Progress, ServiceAway, backfill
from cloud.billing.owners import Owner, learn_owner
from cloud.context import Cloud
from cloud.history.models import Happening
from cloud.reporting import MAX_EVENTS_A_BATCH
from cloud.story.person import Person
from cloud.testing import Sink, Town, run_sink
from cloud.testing.flows import FLOWS
from cloud.testing.stripe_desk import failed_charge

Json = dict[str, Any]
ADDRESS = "http://abuse.example"


@pytest.fixture
def town(each_town: Town) -> Town:
    return each_town


@pytest.fixture
def other() -> Iterator[Sink]:
    """A service that has heard nothing."""
    with run_sink() as sink:
        yield sink


def tell(cloud: Cloud, sink: Sink, **how: Any) -> Any:
    with AbuseClient(url=sink.url) as client:
        return backfill(cloud.database, client, ADDRESS, **how)


def reports(sink: Sink) -> dict[str, Json]:
    """Return what arrived, by id."""
    told = [*sink.events(), *sink.bodies("/api/auth-event")]
    return {report["event_id"]: report for report in told}


def of(user: Person, sink: Sink) -> list[Json]:
    told = reports(sink).values()
    mine = [report for report in told if report.get("data", report)["kilo_user_id"] == user.kilo_user_id]
    return sorted(mine, key=lambda report: report["occurred_at"])


def forget_history(town: Town) -> None:
    """Make the town's past older than its history."""
    with town.running.cloud.database.writing() as session:
        session.execute(delete(Happening))


def test_told_again_word_for_word(town: Town, other: Sink) -> None:
    """Everything that any flow reported is told with the same words, time and id; of the forgotten, what is left."""
    forget_history(town)
    for flow in FLOWS:
        flow.prepare(town).act()
    town.settle()
    before = reports(town.sink)
    tell(town.running.cloud, other)
    again = reports(other)
    gone = {report["data"]["kilo_user_id"] for report in before.values() if report.get("type") == "user.deleted"}
    kept = {i: report for i, report in before.items() if report.get("kilo_user_id") not in gone}
    assert gone
    assert {i: again.get(i) for i in kept} == kept


def test_first_day_tells_what_is_there(town: Town, other: Sink) -> None:
    """Of an account from before the history: the person, the block, the membership, the credits and the pass as now."""
    user, owner = town.resident(), town.resident()
    user.do("POST", "/account/welcome-form", json={"github_url": "https://github.example.com/ada"})
    organization = owner.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    member = {"kilo_user_id": user.kilo_user_id}
    town.admin.do("POST", f"/admin/organizations/{organization}/members", json=member)
    grant = {"microdollars": 5_000_000, "note": "sorry"}
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/credits", json=grant)
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/block", json={"reason": "spam"})
    town.settle()
    before = of(user, town.sink)
    forget_history(town)
    tell(town.running.cloud, other)
    entry, added, credits, blocked = of(user, other)
    assert (entry["event_type"], entry["email"], entry["has_github_url"]) == ("signup", user.email, True)
    assert (entry["signup_ip"], entry["is_blocked"]) == (user.ip_address, True)
    told = {report["type"]: report for report in before if "type" in report}
    assert added["data"] == told["org.member_added"]["data"]
    assert credits["data"] | {"total_microdollars_acquired": 5_000_000} == told["billing.credit_purchased"]["data"]
    assert credits["event_id"] == told["billing.credit_purchased"]["event_id"]
    assert blocked == told["user.blocked"]
    assert [report["type"] for report in of(owner, other) if "type" in report] == ["org.created", "org.member_added"]


def test_second_first_day_tells_the_same(town: Town, other: Sink) -> None:
    """What is made of tables has an id that stays, so that it counts once however often it is told."""
    forget_history(town)
    tell(town.running.cloud, other)
    first = reports(other)
    other.received.clear()
    tell(town.running.cloud, other)
    assert reports(other) == first


def test_only_the_gap_is_told(town: Town, other: Sink) -> None:
    """From a given instant on nothing older is told."""
    town.resident()
    since_ms = int(town.running.cloud.clock().timestamp() * 1000)
    later = town.resident()
    tell(town.running.cloud, other, since_ms=since_ms)
    assert {report.get("data", report)["kilo_user_id"] for report in reports(other).values()} == {later.kilo_user_id}


def test_broken_run_goes_on(town: Town, other: Sink) -> None:
    """A service that refuses stops the run where it is; the next run tells the rest and no batch before it again."""
    forget_history(town)
    add_users(town, 450)
    taken: set[str] = set()

    def refuse_from_now_on(_: Progress) -> None:
        taken.update(reports(other))
        other.status = 401

    with pytest.raises(ServiceAway):
        tell(town.running.cloud, other, on_progress=refuse_from_now_on)
    assert len(taken) == MAX_EVENTS_A_BATCH
    other.received.clear()
    other.status = 200
    end = tell(town.running.cloud, other)
    rest = reports(other)
    assert (end.told, end.refused) == (len(rest), 0)
    assert len(rest.keys() & taken) == 1, "what happened at the cursor's own instant"
    other.received.clear()
    tell(town.running.cloud, other)
    assert reports(other).keys() == rest.keys() | taken, "a run that came to its end begins anew"


def add_users(town: Town, number: int) -> None:
    """Put users into the table, a second apart, as an old cloud would have them."""
    now, names = town.running.cloud.clock(), [uuid4().hex for _ in range(number)]
    with town.running.cloud.database.writing() as session:
        session.add_all(
            User(id=n, email=f"{n}@example.com", email_normalised=n, created_at=now - timedelta(days=9, seconds=s))
            for s, n in enumerate(names)
        )


def test_forgotten_person_leaves_history(town: Town) -> None:
    """A deletion drops what Stripe said of the person, also what came before anybody knew whose it was."""
    user, card_holder = town.resident(), f"cus_{uuid4().hex}"
    town.desk.post("charge.failed", failed_charge(card_holder, "stolen_card")).raise_for_status()
    with town.running.cloud.transaction() as work:
        learn_owner(work, Owner(user_id=user.kilo_user_id), [card_holder])
    assert card_holder in kept_words(town)
    user.do("DELETE", "/account")
    words = kept_words(town)
    assert card_holder not in words
    assert user.email not in words


def kept_words(town: Town) -> str:
    with town.running.cloud.database.reading() as session:
        return str([row.told for row in session.scalars(select(Happening))])
