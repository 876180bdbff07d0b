"""Coming in, moving, leaving."""

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from abuse_client.contract import AuthEventPayload
from cloud.accounts import auth_events
from cloud.accounts.models import User
from cloud.administration.service import block_user
from cloud.billing.models import AutoTopUp
from cloud.story.browser import Browser
from cloud.story.person import Person
from cloud.tables import METADATA
from cloud.testing import Town, at_once
from cloud.testing.stripe_desk import subscription


@pytest.fixture
def town(each_town: Town) -> Town:
    """Addresses and links are unique in a race, and nothing is left behind: on both databases."""
    return each_town


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


def test_every_field_is_filled(town: Town) -> None:
    """Whoever has done all that can be told of is told with every field but the hold on a card, which nobody asks."""
    person = town.newcomer(fingerprint="hw-full")
    with Browser(person=person) as browser:
        browser.sign_in("google", wish={"customer_source": "talk"}, hosted_domain="works.example.com")
        for provider in ("github", "discord"):
            browser.link(provider)
    person.come_in()
    join_new_organization(town, person)
    form = {"linkedin_url": "https://linkedin.example.com/in/ada"}
    person.do("POST", "/account/welcome-form", json=form)
    path = f"/admin/users/{person.kilo_user_id}"
    town.admin.do("POST", f"{path}/cohorts", json={"cohort": "beta"})
    town.admin.do("POST", f"{path}/bot", json={"is_bot": True})
    person.do("POST", "/billing/customer")
    person.come_in()
    body = town.arrived("/api/auth-event")[-1]
    fields = set(AuthEventPayload.__struct_fields__) - {"extra"}
    assert {name for name in fields if body.get(name) in (None, [])} == {"has_validation_novel_card_with_hold"}
    told = ("is_bot", "completed_welcome_form", "has_linkedin_url", "has_github_url", "has_discord_verified")
    assert [body[name] for name in told] == [True] * 5
    assert body["auth_providers"] == ["discord", "email", "github", "google"]


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


def test_link_signs_in_once_in_a_race(town: Town, crowd: list[Person]) -> None:
    """Of many who follow one link at the same moment one comes in."""
    first = crowd[0]
    first.do("POST", "/auth/email-link", json={"email": first.email})
    form = {"token": first.letter_token(first.email)}
    answers = at_once([lambda one=one: one.send("POST", "/auth/email-link/confirm", data=form) for one in crowd])
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5
    assert len(town.arrived("/api/auth-event")) == 1


def test_address_has_one_account_in_a_race(town: Town, crowd: list[Person]) -> None:
    """Whoever signs up twice at the same moment has one account: one sign-up is told, all else are sign-ins."""
    newcomer = town.newcomer()
    forms = []
    for _ in crowd:
        newcomer.do("POST", "/auth/email-link", json={"email": newcomer.email})
        forms.append({"token": newcomer.letter_token(newcomer.email)})
    acts = [
        lambda one=one, form=form: one.send("POST", "/auth/email-link/confirm", data=form)
        for one, form in zip(crowd, forms, strict=True)
    ]
    answers = at_once(acts)
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.json()["kilo_user_id"] for answer in answers}) == 1
    kinds = sorted(body["event_type"] for body in town.arrived("/api/auth-event"))
    assert kinds == ["signin"] * 5 + ["signup"]


def test_profile_is_a_page(user: Person) -> None:
    """A profile is the address of a page: whoever follows it later runs no script."""
    for url in ("javascript:alert(1)", "ada", "https://", "ftp://example.com/ada"):
        assert user.send("POST", "/account/welcome-form", json={"linkedin_url": url}).status_code == 422


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


def test_address_is_taken_once_in_a_race(town: Town, crowd: list[Person]) -> None:
    """Of many who confirm the same new address at the same moment one gets it, and one change is told."""
    wanted = f"wanted-{crowd[0].email}"
    forms = []
    for one in crowd:
        one.do("POST", "/account/email", json={"email": wanted})
        forms.append({"token": one.letter_token(wanted)})
    acts = [
        lambda one=one, form=form: one.send("POST", "/account/email/confirm", data=form)
        for one, form in zip(crowd, forms, strict=True)
    ]
    assert sorted(answer.status_code for answer in at_once(acts)) == [204] + [409] * 5
    assert len(town.events("user.email_changed")) == 1


def test_previous_address_is_the_last_one(town: Town, user: Person) -> None:
    """Each of two changes tells the address that stood before it; the old address is told too, by a letter."""
    addresses = [user.email, f"a-{user.email}", f"b-{user.email}"]
    for email in addresses[1:]:
        user.do("POST", "/account/email", json={"email": email})
    tokens = [user.letter_token(email) for email in addresses[1:]]
    for token in tokens:
        user.do("POST", "/account/email/confirm", data={"token": token})
    told = [(event["data"]["previous_email"], event["data"]["email"]) for event in town.events()]
    assert told == [(addresses[0], addresses[1]), (addresses[1], addresses[2])]
    notice = user.do("GET", "/outbox", params={"recipient": addresses[0]}).json()
    assert notice["subject"] == "Your address was changed"


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


def everything_stored(town: Town) -> str:
    """Return every value of every table, in lower case."""
    with town.running.cloud.database.reading() as session:
        rows = [row for table in METADATA.tables.values() for row in session.execute(select(table))]
    return repr(rows).lower()


def test_deletion_leaves_nothing_personal(town: Town, user: Person, another: Person) -> None:
    """After a deletion no table holds anything of the person, under whatever address it was written; the row stays."""
    first, second, third = user.email, f"second-{user.email}", f"third-{user.email}"
    leaver = town.newcomer(email=f"Leaver-{user.email}", fingerprint="hw-leaver", ip_address="198.51.100.77")
    leaver.ja4_digest = "t13d-of-the-leaver"
    with Browser(person=leaver) as browser:
        wish = {"customer_source": "source-of-the-leaver"}
        browser.sign_in("google", leaver.email, wish, hosted_domain="domain-of-the-leaver.example")
        browser.link("github", "leaver-at-github@example.net")
        leaver.come_in().come_in()
    form = {"linkedin_url": "https://linkedin.example.com/in/the-leaver"}
    leaver.do("POST", "/account/welcome-form", json=form)
    town.admin.do("POST", f"/admin/users/{leaver.kilo_user_id}/cohorts", json={"cohort": "cohort-of-the-leaver"})
    found = another.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    invitations = f"/organizations/{found}/invitations"
    another.do("POST", invitations, json={"email": leaver.email.upper()})
    leaver.do("POST", "/invitations/accept", data={"token": leaver.letter_token(leaver.email)})
    for email in (second, third):
        another.do("POST", invitations, json={"email": leaver.email})
        leaver.do("POST", "/auth/email-link", json={"email": leaver.email})
        leaver.do("POST", "/account/email", json={"email": f"leaver-{email}"})
        leaver.do("POST", "/account/email/confirm", data={"token": leaver.letter_token(f"leaver-{email}")})
        leaver.email = f"leaver-{email}"
    leaver.do("POST", "/account/email", json={"email": f"leaver-never-confirmed-{first}"})
    with town.running.cloud.transaction() as work:
        block_user(work, user.kilo_user_id, "spam", leaver.email)
    assert everything_stored(town).count("leaver") > 20
    leaver.do("DELETE", "/account")
    stored = everything_stored(town)
    for trace in ("leaver", "198.51.100.77"):
        assert trace not in stored
    assert f"deleted-{leaver.kilo_user_id}@deleted.invalid" in stored
    assert another.email in stored


def test_deleted_address_is_free(town: Town, user: Person) -> None:
    """Who comes again under a deleted account's address is new; no link or provider leads to the old one."""
    old = user.kilo_user_id
    user.do("POST", "/auth/email-link", json={"email": user.email})
    token = user.letter_token(user.email)
    with Browser(person=user) as browser:
        browser.sign_in("google")
        user.do("DELETE", "/account")
        assert user.send("POST", "/auth/email-link/confirm", data={"token": token}).status_code == 400
        town.forget()
        browser.sign_in("google")
    [body] = town.arrived("/api/auth-event")
    assert body["event_type"] == "signup"
    assert body["kilo_user_id"] != old


def test_blocked_users_stay(town: Town, user: Person) -> None:
    """A blocked user cannot delete the account to begin anew; an administrator can, and the block stays on record."""
    path = f"/admin/users/{user.kilo_user_id}"
    town.admin.do("POST", f"{path}/block", json={"reason": "spam"})
    town.forget()
    assert user.send("DELETE", "/account").status_code == 403
    town.admin.do("DELETE", path)
    town.admin.do("DELETE", path)
    assert [event["type"] for event in town.events()] == ["user.deleted"]
    with town.running.cloud.database.reading() as session:
        assert session.get_one(User, user.kilo_user_id).blocked_at is not None


def test_deletion_stops_top_up(town: Town, user: Person) -> None:
    """No card of a deleted account is charged any more."""
    with town.running.cloud.database.writing() as session:
        wish = {"threshold_microdollars": 1, "amount_cents": 500, "card_id": "pm_1", "is_on": True}
        session.add(AutoTopUp(account=user.kilo_user_id, user_id=user.kilo_user_id, **wish))
    user.do("DELETE", "/account")
    with town.running.cloud.database.reading() as session:
        assert session.get_one(AutoTopUp, user.kilo_user_id).is_on is False


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
