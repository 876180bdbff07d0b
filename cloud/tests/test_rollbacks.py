"""What is not committed is not reported: a fault at the commit of each flow."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from cloud.story.browser import Browser
from cloud.story.person import Person
from cloud.testing import Town
from cloud.testing.stripe_desk import (
    dispute,
    failed_charge,
    fraud_warning,
    paid_invoice,
    payment_intent,
    payment_method,
    subscription,
)

Flow = tuple[str, Callable[[], Any]]


@contextmanager
def failing_commits() -> Iterator[None]:
    """Make every commit fail, as a full disk would."""

    def fail(_: Session) -> None:
        raise OperationalError("COMMIT", {}, OSError("no space left on device"))

    event.listen(Session, "before_commit", fail)
    try:
        yield
    finally:
        event.remove(Session, "before_commit", fail)


def asking(person: Person, path: str, **wish: Any) -> Callable[[], Any]:
    """Return the flow that this request is."""
    return lambda: person.send("POST", path, json=wish)


def flows(town: Town, _: ExitStack) -> list[Flow]:
    """Prepare every flow that reports, up to its last request."""
    admin, user, member, invited, target, blocked = town.admin, *(town.resident() for _ in range(5))
    many, reason, domain = (
        [town.resident().kilo_user_id for _ in range(2)],
        f"farm {uuid4().hex}",
        f"{uuid4().hex}.example",
    )
    town.resident(email=f"eve@{domain}")
    lifted = {"kilo_user_ids": [town.resident().kilo_user_id], "reason": reason}
    admin.do("POST", "/admin/users/bulk-block", json=lifted)
    window = {"since": "2026-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z"}
    admin.do("POST", "/admin/promo-codes", json={"code": domain, "microdollars": 5, "reason": "fair"})
    settled = f"/admin/users/{town.resident().kilo_user_id}/cancel-and-refund"
    found = user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    path, invitations = f"/admin/users/{target.kilo_user_id}", f"/organizations/{found}/invitations"
    for person in (member, invited):
        user.do("POST", invitations, json={"email": person.email})
    member.do("POST", "/invitations/accept", data={"token": member.letter_token(member.email)})
    user.do("POST", "/account/email", json={"email": f"new-{user.email}"})
    admin.do("POST", f"/admin/users/{blocked.kilo_user_id}/block", json={"reason": "spam"})
    customer = user.do("POST", "/billing/customer").json()["stripe_customer_id"]
    intent = payment_intent(customer, 500, user.kilo_user_id)
    loser = town.resident()
    lost = payment_intent(loser.do("POST", "/billing/customer").json()["stripe_customer_id"], 500, loser.kilo_user_id)
    town.desk.post("payment_intent.succeeded", lost).raise_for_status()
    unblock = f"/admin/users/{blocked.kilo_user_id}/unblock"
    webhooks: list[tuple[str, Any, Any]] = [
        ("payment_method.attached", payment_method(customer, "fp"), None),
        ("payment_method.detached", payment_method(None, "fp"), {"customer": customer}),
        ("charge.failed", failed_charge(customer, "stolen_card"), None),
        ("charge.dispute.created", dispute(intent, "fraudulent"), None),
        ("charge.dispute.funds_withdrawn", dispute(intent, "fraudulent"), None),
        ("radar.early_fraud_warning.created", fraud_warning(intent), None),
        ("payment_intent.succeeded", intent, None),
        ("charge.dispute.closed", dispute(lost, "fraudulent") | {"status": "lost"}, None),
        ("customer.subscription.created", subscription(customer, "tier_19"), None),
        ("invoice.paid", paid_invoice(customer, "tier_19", 1_900), None),
    ]
    invitation = invited.letter_token(invited.email)
    confirmation = user.letter_token(f"new-{user.email}")
    return [
        ("block", lambda: admin.send("POST", f"{path}/block", json={"reason": "spam"})),
        ("unblock", lambda: admin.send("POST", unblock, json={"reason": "appeal"})),
        ("grant", lambda: admin.send("POST", f"{path}/credits", json={"microdollars": 1, "note": "n"})),
        ("bulk block", asking(admin, "/admin/users/bulk-block", kilo_user_ids=many, reason="r")),
        ("bulk unblock", asking(admin, "/admin/users/bulk-unblock", blocked_reason=reason, reason="r", **window)),
        ("blacklist", asking(admin, "/admin/domains", domain=domain, reason="r")),
        ("refund", asking(admin, settled, reason="r")),
        ("code", asking(loser, "/billing/codes", code=domain)),
        ("team grant", asking(admin, f"/admin/organizations/{found}/credits", microdollars=1, note="n")),
        ("e-mail", lambda: user.send("POST", "/account/email/confirm", data={"token": confirmation})),
        ("found", lambda: user.send("POST", "/organizations", json={"name": "more"})),
        ("accept", lambda: invited.send("POST", "/invitations/accept", data={"token": invitation})),
        ("leave", lambda: member.send("POST", f"/organizations/{found}/leave")),
        ("end", lambda: user.send("DELETE", f"/organizations/{found}")),
        ("delete", lambda: user.send("DELETE", "/account")),
        *((kind, lambda case=case: town.desk.post(*case)) for case in webhooks for kind in case[:1]),
    ]


def entries(town: Town, stack: ExitStack) -> list[Flow]:
    """Prepare every way in, and every way into an organization, up to its last request."""
    admin, owner, member, corrected = town.admin, *(town.resident() for _ in range(3))
    domain = f"works-of-{owner.kilo_user_id}.example.com"
    organizations = "/admin/organizations"
    found = owner.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    owner.do("POST", f"/organizations/{found}/sso-domains", json={"domain": domain})
    admin.do("POST", f"{organizations}/{found}/sso-domains/{domain}/verify")
    newcomer, known = town.newcomer(), town.resident()
    for person in (newcomer, known):
        person.do("POST", "/auth/email-link", json={"email": person.email})
    letters = [{"token": person.letter_token(person.email)} for person in (newcomer, known)]
    people = (town.newcomer(), town.newcomer(email=f"ada@{domain}"), member)
    by_google, by_sign_on, linking = (stack.enter_context(Browser(person=person)) for person in people)
    linking.sign_in("google")
    returns = [
        by_google.consent(by_google.depart("google"), by_google.person.email),
        by_sign_on.consent(by_sign_on.depart_to_sign_on(f"ada@{domain}"), f"ada@{domain}"),
        linking.consent(linking.depart_to_link("github"), member.email),
    ]
    line = {"sponsorship_id": found, "name": "open project", "owner_email": owner.email}
    founding = {"name": "works", "owner_id": owner.kilo_user_id}
    joining = {"kilo_user_id": member.kilo_user_id}
    email = {"email": f"corrected-{corrected.email}"}
    confirm = "/auth/email-link/confirm"
    return [
        ("sign-up by a letter", lambda: newcomer.send("POST", confirm, data=letters[0])),
        ("sign-in by a letter", lambda: known.send("POST", confirm, data=letters[1])),
        ("sign-up by a provider", lambda: by_google.come_back(returns[0])),
        ("sign-on", lambda: by_sign_on.come_back(returns[1])),
        ("link", lambda: linking.come_back(returns[2])),
        ("founding by an administrator", lambda: admin.send("POST", organizations, json=founding)),
        ("sponsorship", lambda: admin.send("POST", f"{organizations}/sponsorships", json={"lines": [line]})),
        ("member by an administrator", lambda: admin.send("POST", f"{organizations}/{found}/members", json=joining)),
        ("correction", lambda: admin.send("POST", f"/admin/users/{corrected.kilo_user_id}/email", json=email)),
    ]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Closes the browsers that a test has opened."""
    with ExitStack() as opened:
        yield opened


@pytest.fixture(params=[flows, entries])
def prepared(request: pytest.FixtureRequest, town: Town, stack: ExitStack) -> list[Flow]:
    found: list[Flow] = request.param(town, stack)
    return found


def test_failed_commit_reports_nothing(town: Town, prepared: list[Flow]) -> None:
    """When the commit of a flow fails, its caller is told and the abuse service is not."""
    town.forget()
    with failing_commits():
        answers = {name: act().status_code for name, act in prepared}
    assert answers == dict.fromkeys(answers, 503)
    assert len(answers) == len(prepared)
    assert [event["type"] for event in town.events()] == []
    assert town.arrived("/api/auth-event") == []


def test_retried_entries_are_all_reported(town: Town, stack: ExitStack) -> None:
    """The same ways in are reported once their commits go through: five people, and who became a member of what."""
    prepared = entries(town, stack)
    town.forget()
    assert {name for name, act in prepared if act().is_error} == set()
    assert len(town.arrived("/api/auth-event")) == 5
    kinds = sorted(event["type"] for event in town.events())
    assert kinds == ["org.created"] * 2 + ["org.member_added"] * 4 + ["user.email_changed"]


def test_retried_flows_report_all_types(town: Town, stack: ExitStack) -> None:
    """The same flows report each of the 17 types once their commits go through."""
    prepared = flows(town, stack)
    town.forget()
    for _, act in prepared:
        act().raise_for_status()
    kinds = {event["type"] for event in town.events()}
    assert len(kinds) == 17


@pytest.mark.parametrize("status", [401, 500])
def test_refusing_service_changes_nothing(town: Town, status: int, prepared: list[Flow]) -> None:
    """An abuse service that refuses everything changes no answer of any flow."""
    town.forget()
    town.sink.status = status
    answers = [act().status_code for _, act in prepared]
    assert [code for code in answers if code >= 400] == []
