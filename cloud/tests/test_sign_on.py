"""Enterprise sign-on: the domain is verified first, and whoever signs on by it is a member before he is reported."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest

from cloud.story.browser import Browser
from cloud.story.person import Person
from cloud.testing import Town

numbers = count(1)


@pytest.fixture
def town(each_town: Town) -> Town:
    """One domain is one organization's: on both databases."""
    return each_town


@pytest.fixture
def domain() -> str:
    return f"works-{next(numbers)}.example.com"


@pytest.fixture
def organization_id(town: Town, user: Person, domain: str) -> str:
    """An organization with a verified domain."""
    found: str = user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    claim(user, found, domain)
    verify(town, found, domain).raise_for_status()
    town.forget()
    return found


@pytest.fixture
def browser(town: Town, domain: str) -> Iterator[Browser]:
    """Somebody of the enterprise, new to the cloud."""
    with Browser(person=town.newcomer(email=f"ada@{domain}")) as found:
        yield found


def claim(owner: Person, organization_id: str, domain: str) -> None:
    owner.do("POST", f"/organizations/{organization_id}/sso-domains", json={"domain": domain})


def verify(town: Town, organization_id: str, domain: str) -> httpx.Response:
    return town.admin.send("POST", f"/admin/organizations/{organization_id}/sso-domains/{domain}/verify")


def membership(organization_id: str) -> dict[str, Any]:
    return {
        "organization_id": organization_id,
        "role": "member",
        "plan": "teams",
        "has_sso": True,
        "in_free_trial": True,
    }


def error_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def test_sign_on_makes_a_member_first(town: Town, browser: Browser, domain: str, organization_id: str) -> None:
    """A newcomer of the domain signs up, is made a member, and is reported with the membership."""
    assert browser.sign_on(f"ada@{domain}").status_code == 303
    [body] = town.arrived("/api/auth-event")
    assert (body["event_type"], body["auth_method"], body["hosted_domain"]) == ("signup", "sso", domain)
    assert (body["auth_providers"], body["org_memberships"]) == (["sso"], [membership(organization_id)])
    [event] = town.events()
    assert event["type"] == "org.member_added"
    assert event["data"] == membership(organization_id) | {"kilo_user_id": body["kilo_user_id"]}


def test_second_sign_on_adds_nothing(town: Town, browser: Browser, domain: str, organization_id: str) -> None:
    """A member who signs on again stays one."""
    browser.sign_on(f"ada@{domain}")
    town.forget()
    browser.sign_on(f"Ada@{domain.upper()}")
    [body] = town.arrived("/api/auth-event")
    assert (body["event_type"], body["org_memberships"]) == ("signin", [membership(organization_id)])
    assert town.events() == []


def test_known_account_is_linked(town: Town, browser: Browser, domain: str, organization_id: str) -> None:
    """An account under the domain's address is the one that the sign-on reaches."""
    person = browser.person.come_in()
    town.forget()
    browser.sign_on(person.email)
    [body] = town.arrived("/api/auth-event")
    assert (body["event_type"], body["kilo_user_id"]) == ("signin", person.kilo_user_id)
    assert body["auth_providers"] == ["email", "sso"]


def test_other_domain_is_refused(town: Town, browser: Browser, user: Person, domain: str, organization_id: str) -> None:
    """An enterprise's sign-on speaks for its own people: it reaches no account of another domain."""
    page = browser.depart_to_sign_on(f"ada@{domain}")
    answer = browser.come_back(browser.consent(page, user.email))
    assert (answer.status_code, error_of(answer)) == (400, "sign_in_refused")
    page = browser.depart_to_sign_on(f"ada@{domain}")
    assert error_of(browser.come_back(browser.consent(page, f"ada@sub.{domain}"))) == "sign_in_refused"
    assert town.arrived("/api/auth-event") == []


def test_unverified_address_is_refused(town: Town, browser: Browser, domain: str, organization_id: str) -> None:
    """The enterprise's sign-on has to stand for the address, as any provider has."""
    assert error_of(browser.sign_on(f"ada@{domain}", is_verified="")) == "email_unverified"
    assert town.events() == []


def test_unverified_domain_has_no_sign_on(town: Town, browser: Browser, user: Person, domain: str) -> None:
    """A claim is not enough, and there is no way around the domain."""
    found = user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    claim(user, found, domain)
    assert browser.depart_to_sign_on(f"ada@{domain}").status_code == 404
    assert browser.depart("sso").status_code == 400
    assert browser.depart_to_sign_on("no address").status_code == 404


def test_dropped_domain_ends_sign_on(
    town: Town, browser: Browser, user: Person, domain: str, organization_id: str
) -> None:
    """A domain that is taken away while somebody is at the sign-on lets him in no more; members stay."""
    browser.sign_on(f"ada@{domain}")
    page = browser.depart_to_sign_on(f"eve@{domain}")
    user.do("DELETE", f"/organizations/{organization_id}/sso-domains/{domain}")
    assert error_of(browser.come_back(browser.consent(page, f"eve@{domain}"))) == "sign_in_refused"
    seen = user.do("GET", f"/organizations/{organization_id}").json()
    assert (len(seen["members"]), seen["sso_domains"]) == (2, [])
    town.forget()
    user.come_in()
    [body] = town.arrived("/api/auth-event")
    assert body["org_memberships"][0]["has_sso"] is False


def test_domain_has_one_organization(
    town: Town, user: Person, another: Person, domain: str, organization_id: str
) -> None:
    """Others may claim a domain that is taken, and do not get it."""
    rival = another.do("POST", "/organizations", json={"name": "rival"}).json()["organization_id"]
    claim(another, rival, domain)
    assert verify(town, rival, domain).status_code == 409
    assert verify(town, organization_id, domain).json() == {"changed": False}
    user.do("DELETE", f"/organizations/{organization_id}")
    assert verify(town, rival, domain).json() == {"changed": True}


def test_only_the_company_verifies(town: Town, user: Person, another: Person, domain: str) -> None:
    """An owner claims, nobody else does, and only an administrator of the company verifies."""
    found = user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    path = f"/organizations/{found}/sso-domains"
    assert another.send("POST", path, json={"domain": domain}).status_code == 403
    claim(user, found, domain)
    assert user.send("POST", f"/admin{path}/{domain}/verify").status_code == 403
    assert user.send("POST", path, json={"domain": "no domain"}).status_code == 422


def test_no_seat_lets_in_without_membership(town: Town, browser: Browser, domain: str, organization_id: str) -> None:
    """Without a free seat the sign-on opens the account, and makes no member before there is one."""
    seats = f"/admin/organizations/{organization_id}/seats"
    town.admin.do("POST", seats, json={"seats": 1})
    assert browser.sign_on(f"ada@{domain}").status_code == 303
    assert town.arrived("/api/auth-event")[0]["org_memberships"] == []
    assert town.events() == []
    town.admin.do("POST", seats, json={"seats": 2})
    browser.sign_on(f"ada@{domain}")
    assert len(town.events("org.member_added")) == 1
