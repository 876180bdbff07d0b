"""Coming in, moving, leaving."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cloud.accounts import auth_events
from cloud.accounts.models import User
from cloud.mail.models import OutgoingLetter
from cloud.story.person import Person
from cloud.testing import Town
from cloud.testing.stripe_desk import subscription


def join_new_organization(town: Town, user: Person) -> str:
    organization_id: str = user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    town.forget()
    return organization_id


def test_signup_reports_whole_identity(town: Town) -> None:
    """A sign-up tells every field that is in scope, in the contract's words."""
    person = town.newcomer(city="S%C3%A3o%20Paulo", country="BR", fingerprint="hw_1")
    person.come_in("newsletter")
    [body] = town.arrived("/api/auth-event")
    created_at, occurred_at, event_id = (body.pop(name) for name in ("account_created_at", "occurred_at", "event_id"))
    assert event_id
    assert created_at.startswith("20")
    assert occurred_at > 1_700_000_000_000
    assert {name: value for name, value in body.items() if value is not None} == {
        "kilo_user_id": person.kilo_user_id,
        "event_type": "signup",
        "email": person.email,
        "ip_address": person.ip_address,
        "geo_city": "São Paulo",
        "geo_country": "BR",
        "ja4_digest": person.ja4_digest,
        "user_agent": person.user_agent,
        "auth_method": "email",
        "hosted_domain": "@@email@@",
        "signup_ip": person.ip_address,
        "signup_ja4_digest": person.ja4_digest,
        "signup_geo_country": "BR",
        "customer_source": "newsletter",
        "is_bot": False,
        "is_admin": False,
        "is_blocked": False,
        "completed_welcome_form": False,
        "has_linkedin_url": False,
        "has_github_url": False,
        "has_discord_verified": False,
        "cohorts": [],
        "auth_providers": ["email"],
        "org_memberships": [],
    }


def test_signin_resends_what_changed(town: Town, user: Person) -> None:
    """A sign-in tells what has changed since, and keeps the snapshot of the sign-up."""
    organization_id = join_new_organization(town, user)
    user.do("POST", "/account/welcome-form", json={"github_url": "https://github.example.com/ada"})
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/cohorts", json={"cohort": "beta"})
    user.do("POST", "/billing/customer")
    signup_ip, user.ip_address = user.ip_address, "198.51.100.7"
    user.come_in()
    [body] = town.arrived("/api/auth-event")
    assert body["event_type"] == "signin"
    assert (body["signup_ip"], body["ip_address"]) == (signup_ip, "198.51.100.7")
    assert (body["completed_welcome_form"], body["has_github_url"], body["cohorts"]) == (True, True, ["beta"])
    assert body["stripe_customer_id"].startswith("cus_")
    membership = {"organization_id": organization_id, "role": "owner", "plan": "teams"}
    assert body["org_memberships"] == [membership | {"has_sso": False, "in_free_trial": True}]


def test_failed_enrichment_is_omitted(town: Town, user: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """A field whose query fails is left out: an empty list would say that there is nothing."""

    def fail(session: Session, user_id: str) -> list[str]:
        raise OperationalError("select", {}, Exception("broken"))

    monkeypatch.setattr(auth_events, "list_cohorts", fail)
    user.come_in()
    [body] = town.arrived("/api/auth-event")
    assert body.get("cohorts") is None
    assert body["auth_providers"] == ["email"]


def test_link_works_only_once(town: Town, stranger: Person) -> None:
    """A link that was followed signs nobody else in."""
    stranger.do("POST", "/auth/email-link", json={"email": stranger.email})
    token = stranger.letter_token(stranger.email)
    first = stranger.send("POST", "/auth/email-link/confirm", data={"token": token})
    second = stranger.send("POST", "/auth/email-link/confirm", data={"token": token})
    assert (first.status_code, second.status_code) == (200, 400)
    assert second.json()["error"]["code"] == "invalid_token"
    assert len(town.arrived("/api/auth-event")) == 1


def test_opening_link_uses_nothing_up(town: Town, stranger: Person) -> None:
    """A scanner that opens links in letters signs nobody in: the page has a button."""
    stranger.do("POST", "/auth/email-link", json={"email": stranger.email})
    token = stranger.letter_token(stranger.email)
    page = stranger.do("GET", "/auth/email-link", params={"token": token})
    assert "<form" in page.text
    assert town.arrived("/api/auth-event") == []


def test_blocked_signin_is_reported(town: Town, user: Person) -> None:
    """A blocked user is turned away, and the attempt is told with the block in it."""
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/block", json={"reason": "spam"})
    assert user.try_to_come_in().status_code == 403
    [body] = town.arrived("/api/auth-event")
    assert (body["event_type"], body["is_blocked"]) == ("signin", True)


def test_confirmed_address_is_reported(town: Town, user: Person) -> None:
    """The event leaves when the new address is confirmed, with the old one in it; asking alone reports nothing."""
    previous, email = user.email, f"new-{user.email}"
    user.do("POST", "/account/email", json={"email": email})
    assert town.events() == []
    user.do("POST", "/account/email/confirm", data={"token": user.letter_token(email)})
    [event] = town.events()
    assert event["type"] == "user.email_changed"
    assert event["data"] == {"kilo_user_id": user.kilo_user_id, "email": email, "previous_email": previous}


def test_other_spelling_changes_nothing(town: Town, user: Person) -> None:
    """The same address in other letters is no change of address."""
    email = user.email.upper()
    user.do("POST", "/account/email", json={"email": email})
    user.do("POST", "/account/email/confirm", data={"token": user.letter_token(email)})
    assert town.events() == []


def test_taken_address_is_refused(town: Town, user: Person, another: Person) -> None:
    """An address belongs to one account."""
    user.do("POST", "/account/email", json={"email": another.email})
    answer = user.send("POST", "/account/email/confirm", data={"token": user.letter_token(another.email)})
    assert answer.status_code == 409
    assert town.events() == []


def test_deletion_ends_memberships_first(town: Town, user: Person) -> None:
    """Each membership lost is an event with the role as it was; the anonymous address is no change of address."""
    organizations = {join_new_organization(town, user) for _ in range(2)}
    user.do("DELETE", "/account")
    events = town.events()
    assert [event["type"] for event in events] == ["org.member_removed", "org.member_removed", "user.deleted"]
    assert {event["data"]["organization_id"] for event in events[:2]} == organizations
    assert {event["data"]["role"] for event in events[:2]} == {"owner"}
    assert events[2]["data"] == {"kilo_user_id": user.kilo_user_id}
    assert user.send("GET", "/account").status_code == 401


def test_deletion_leaves_nothing_personal(town: Town, user: Person) -> None:
    """After a deletion no table holds the address any more; the row stays."""
    user.do("DELETE", "/account")
    with town.running.cloud.database.reading() as session:
        rows = session.execute(select(User.id, User.email, User.signup_ip)).all()
        letters = session.scalars(select(OutgoingLetter.recipient)).all()
    assert (user.kilo_user_id, f"deleted-{user.kilo_user_id}@deleted.invalid", None) in rows
    assert user.email not in letters


def test_deletion_waits_for_pass(town: Town, user: Person) -> None:
    """An account with an active pass is not deleted; one whose pass is cancelling is."""
    customer = user.do("POST", "/billing/customer").json()["stripe_customer_id"]
    begun = subscription(customer, "tier_19")
    town.desk.post("customer.subscription.created", begun).raise_for_status()
    town.forget()
    assert user.send("DELETE", "/account").status_code == 409
    assert town.events() == []
    cancelling = begun | {"cancel_at_period_end": True}
    town.desk.post("customer.subscription.updated", cancelling).raise_for_status()
    user.do("DELETE", "/account")
    assert [event["type"] for event in town.events()] == ["user.deleted"]
