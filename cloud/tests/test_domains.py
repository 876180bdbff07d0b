"""The domain blacklist: back-fill, and nobody new."""

from uuid import uuid4

import pytest

from cloud.story.person import Person
from cloud.testing import Town


@pytest.fixture
def town(each_town: Town) -> Town:
    return each_town


@pytest.fixture
def domain() -> str:
    return f"{uuid4().hex}.example"


def blacklist(town: Town, domain: str) -> list[str]:
    wish = {"domain": domain, "reason": "throw-away addresses"}
    found: list[str] = town.admin.do("POST", "/admin/domains", json=wish).json()["kilo_user_ids"]
    return found


def test_residents_are_blocked(town: Town, domain: str) -> None:
    """Who is there already is blocked, below the domain too, with actor and reason; look-alikes are left alone."""
    there = [town.resident(email=f"{number}@{place}") for number, place in enumerate((domain, f"mail.{domain}"))]
    lookalikes = [town.resident(email=f"ada@{place}") for place in (f"not{domain}", f"{domain}.org")]
    town.forget()
    assert sorted(blacklist(town, f"@{domain.upper()}")) == sorted(person.kilo_user_id for person in there)
    told = [event["data"] for event in town.events()]
    assert {data["kilo_user_id"] for data in told} == {person.kilo_user_id for person in there}
    assert {data["actor_email"] for data in told} == {town.admin.email}
    assert {data["reason"] for data in told} == {f"domain {domain} is blacklisted: throw-away addresses"}
    assert [person.send("GET", "/account").status_code for person in lookalikes] == [200, 200]


def test_blocked_resident_is_not_blocked_again(town: Town, domain: str) -> None:
    """A resident who is blocked keeps his reason and reports nothing; the same domain again blocks nobody again."""
    person = town.resident(email=f"eve@{domain}")
    town.admin.do("POST", f"/admin/users/{person.kilo_user_id}/block", json={"reason": "spam"})
    town.forget()
    assert [blacklist(town, domain) for _ in range(2)] == [[], []]
    assert town.events() == []


def test_nobody_comes_from_there(town: Town, domain: str, user: Person) -> None:
    """An address of the domain opens no account and becomes nobody's, until the domain is cleared."""
    blacklist(town, domain)
    stranger = town.newcomer(email=f"new@mail.{domain}")
    assert stranger.try_to_come_in().status_code == 403
    user.do("POST", "/account/email", json={"email": f"me@{domain}"})
    token = user.letter_token(f"me@{domain}")
    assert user.send("POST", "/account/email/confirm", data={"token": token}).status_code == 403
    assert town.events() == []
    town.admin.do("DELETE", f"/admin/domains/{domain}", params={"reason": "they closed the hole"})
    assert stranger.try_to_come_in().status_code == 200


def test_blacklist_is_listed(town: Town, domain: str) -> None:
    """The list says who put a domain there and why; the audit has both deeds."""
    blacklist(town, domain)
    [found] = [row for row in town.admin.do("GET", "/admin/domains").json() if row["domain"] == domain]
    assert (found["reason"], found["actor_email"]) == ("throw-away addresses", town.admin.email)
    town.admin.do("DELETE", f"/admin/domains/{domain}", params={"reason": "over"})
    deeds = [entry for entry in town.admin.do("GET", "/admin/audit").json() if entry["subject"] == domain]
    assert [deed["action"] for deed in deeds] == ["domain_cleared", "domain_blacklisted"]


@pytest.mark.parametrize("nonsense", ["com", "a b.com", "%.com", "-x.com", "http://a.com"])
def test_nonsense_is_no_domain(town: Town, nonsense: str) -> None:
    """What is no domain, or a whole country, is refused and blocks nobody."""
    wish = {"domain": nonsense, "reason": "r"}
    assert town.admin.send("POST", "/admin/domains", json=wish).status_code == 400
