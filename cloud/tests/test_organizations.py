"""Organizations come and go, and so do their members."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from cloud.organizations.founding import set_seats
from cloud.organizations.models import Organization
from cloud.story.person import Person
from cloud.testing import Town, at_once


@pytest.fixture
def town(each_town: Town) -> Town:
    """Seats, owners and domains are counted in a race: on both databases."""
    return each_town


def seats(town: Town, organization_id: str, number: int) -> None:
    town.admin.do("POST", f"/admin/organizations/{organization_id}/seats", json={"seats": number})


def overview(user: Person, organization_id: str) -> dict[str, Any]:
    found: dict[str, Any] = user.do("GET", f"/organizations/{organization_id}").json()
    return found


def error_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


@pytest.fixture
def organization_id(town: Town, user: Person) -> str:
    """An organization that the user owns; what founding it reported is forgotten."""
    found: str = user.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    town.forget()
    return found


def join(owner: Person, member: Person, organization_id: str, role: str = "member") -> Any:
    invitation = {"email": member.email, "role": role}
    owner.do("POST", f"/organizations/{organization_id}/invitations", json=invitation)
    return member.do("POST", "/invitations/accept", data={"token": member.letter_token(member.email)})


def facts(user: Person, organization_id: str, role: str, plan: str = "teams") -> dict[str, Any]:
    return {
        "kilo_user_id": user.kilo_user_id,
        "organization_id": organization_id,
        "role": role,
        "plan": plan,
        "has_sso": False,
        "in_free_trial": True,
    }


def test_founding_reports_owner_too(town: Town, user: Person) -> None:
    """A new organization is an event with its final plan, and its owner's membership is another."""
    wish = {"name": "works", "plan": "enterprise"}
    organization_id = user.do("POST", "/organizations", json=wish).json()["organization_id"]
    events = town.events()
    assert [event["type"] for event in events] == ["org.created", "org.member_added"]
    assert events[0]["data"] == facts(user, organization_id, "owner", "enterprise")
    assert events[1]["data"] == events[0]["data"]


def test_accepted_invitation_adds_member(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """The event leaves when the invitation is accepted, not when it is sent."""
    join(user, another, organization_id, role="admin")
    [event] = town.events()
    assert event["type"] == "org.member_added"
    assert event["data"] == facts(another, organization_id, "admin")


def test_member_is_added_once(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """A member who accepts a second invitation stays one and reports nothing."""
    join(user, another, organization_id)
    join(user, another, organization_id)
    assert len(town.events("org.member_added")) == 1


def test_invitation_is_for_its_address(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """Whoever finds an invitation cannot use it."""
    invitation = {"email": "somebody-else@example.com"}
    user.do("POST", f"/organizations/{organization_id}/invitations", json=invitation)
    token = user.letter_token("somebody-else@example.com")
    assert another.send("POST", "/invitations/accept", data={"token": token}).status_code == 403
    assert town.events() == []


def test_leaving_tells_former_role(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """A member who leaves is reported once, with the role as it was."""
    join(user, another, organization_id, role="admin")
    town.forget()
    another.do("POST", f"/organizations/{organization_id}/leave")
    assert another.send("POST", f"/organizations/{organization_id}/leave").status_code == 404
    [event] = town.events()
    assert event["type"] == "org.member_removed"
    assert event["data"] == facts(another, organization_id, "admin")


def test_owner_removes_a_member(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """Removing a member is an event; removing nobody is none; a member removes nobody."""
    join(user, another, organization_id)
    town.forget()
    path = f"/organizations/{organization_id}/members"
    assert another.send("DELETE", f"{path}/{user.kilo_user_id}").status_code == 403
    user.do("DELETE", f"{path}/{another.kilo_user_id}")
    assert user.send("DELETE", f"{path}/{another.kilo_user_id}").status_code == 404
    assert [event["data"]["kilo_user_id"] for event in town.events("org.member_removed")] == [another.kilo_user_id]


def test_deletion_is_one_event(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """The end of an organization names its owner in one event, whoever ended it, and ends it once."""
    join(user, another, organization_id)
    town.forget()
    town.admin.do("DELETE", f"/organizations/{organization_id}")
    assert town.admin.send("DELETE", f"/organizations/{organization_id}").status_code == 404
    [event] = town.events()
    assert event["type"] == "org.deleted"
    assert event["data"] == facts(user, organization_id, "owner")


def test_owner_may_come_later(town: Town, user: Person, another: Person) -> None:
    """An organization that an administrator founds is reported when its owner comes, with him and the plan by then."""
    wish = {"name": "works", "plan": "teams"}
    found = town.admin.do("POST", "/admin/organizations", json=wish).json()["organization_id"]
    members = f"/admin/organizations/{found}/members"
    assert town.events() == []
    town.admin.do("POST", members, json={"kilo_user_id": another.kilo_user_id})
    assert [event["type"] for event in town.events()] == ["org.member_added"]
    town.forget()
    town.admin.do("POST", members, json={"kilo_user_id": user.kilo_user_id, "role": "owner"})
    user.do("POST", f"/organizations/{found}/plan", json={"plan": "enterprise"})
    created, added = town.events()
    assert (created["type"], added["type"]) == ("org.created", "org.member_added")
    assert created["data"] == added["data"] == facts(user, found, "owner")
    assert town.admin.email not in str(town.sink.events())


def test_owner_by_promotion_is_reported(town: Town, user: Person, another: Person) -> None:
    """A member who becomes the first owner ends the waiting; a second owner reports nothing."""
    found = town.admin.do("POST", "/admin/organizations", json={"name": "works"}).json()["organization_id"]
    for person, role in ((user, "owner"), (another, "member")):
        wish = {"kilo_user_id": person.kilo_user_id, "role": role}
        town.admin.do("POST", f"/admin/organizations/{found}/members", json=wish)
    town.forget()
    path = f"/organizations/{found}/members/{another.kilo_user_id}/role"
    assert user.do("POST", path, json={"role": "owner"}).json() == {"changed": True}
    assert user.do("POST", path, json={"role": "owner"}).json() == {"changed": False}
    assert town.events() == []


def test_admin_founds_with_owner(town: Town, user: Person) -> None:
    """An owner who is named at once is in the event, and not the administrator."""
    wish = {"name": "works", "plan": "enterprise", "owner_id": user.kilo_user_id}
    found = town.admin.do("POST", "/admin/organizations", json=wish).json()["organization_id"]
    assert [event["data"] for event in town.events()] == [facts(user, found, "owner", "enterprise")] * 2


def test_plan_change_emits_nothing(town: Town, user: Person, organization_id: str) -> None:
    """Another plan is told by the next events and sign-ins; by itself it is none."""
    path = f"/organizations/{organization_id}/plan"
    assert user.do("POST", path, json={"plan": "enterprise"}).json() == {"changed": True}
    assert user.do("POST", path, json={"plan": "enterprise"}).json() == {"changed": False}
    assert town.events() == []
    user.come_in()
    [body] = town.arrived("/api/auth-event")
    assert body["org_memberships"][0]["plan"] == "enterprise"


def test_sponsorships_are_imported_once(town: Town, user: Person) -> None:
    """A sponsor's line founds one organization: with the owner who is there, or waiting for the one who is invited."""
    later = town.newcomer()
    lines = [
        {"sponsorship_id": f"s-{person.email}", "name": "open project", "owner_email": person.email, "seats": 3}
        for person in (user, later)
    ]
    path, wish = "/admin/organizations/sponsorships", {"lines": lines}
    founded = town.admin.do("POST", path, json=wish).json()["founded"]
    assert town.admin.do("POST", path, json=wish).json() == {"founded": []}
    assert [event["type"] for event in town.events()] == ["org.created", "org.member_added"]
    assert town.events()[0]["data"] == facts(user, founded[0], "owner") | {"in_free_trial": False}
    invitation = later.letter_token(later.email)
    later.come_in()
    town.forget()
    later.do("POST", "/invitations/accept", data={"token": invitation})
    created, added = town.events()
    assert (created["type"], created["data"]["organization_id"]) == ("org.created", founded[1])
    assert added["data"]["role"] == "owner"


def test_last_owner_stays(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """The only owner neither leaves nor gives the role away before there is another one."""
    join(user, another, organization_id)
    town.forget()
    path = f"/organizations/{organization_id}"
    for method, address, body in (
        ("POST", f"{path}/leave", None),
        ("DELETE", f"{path}/members/{user.kilo_user_id}", None),
        ("POST", f"{path}/members/{user.kilo_user_id}/role", {"role": "member"}),
    ):
        refused = user.send(method, address, json=body)
        assert (refused.status_code, error_of(refused)) == (409, "last_owner")
    assert town.events() == []
    user.do("POST", f"{path}/members/{another.kilo_user_id}/role", json={"role": "owner"})
    user.do("POST", f"{path}/leave")
    assert [event["data"] for event in town.events()] == [facts(user, organization_id, "owner")]


def test_one_of_two_owners_stays(town: Town, crowd: list[Person]) -> None:
    """Of two owners who leave at the same moment one stays."""
    first, second = crowd[:2]
    found = first.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    join(first, second, found, role="owner")
    town.forget()
    answers = at_once([lambda one=one: one.send("POST", f"/organizations/{found}/leave") for one in (first, second)])
    assert sorted(answer.status_code for answer in answers) == [204, 409]
    assert len(town.events("org.member_removed")) == 1


def test_member_beyond_seats_is_refused(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """Without a free seat nobody joins; the invitation works when there is one."""
    seats(town, organization_id, 1)
    user.do("POST", f"/organizations/{organization_id}/invitations", json={"email": another.email})
    form = {"token": another.letter_token(another.email)}
    refused = another.send("POST", "/invitations/accept", data=form)
    assert (refused.status_code, error_of(refused)) == (409, "seats_taken")
    assert town.events() == []
    seats(town, organization_id, 2)
    another.do("POST", "/invitations/accept", data=form)
    assert len(town.events("org.member_added")) == 1


def test_seats_hold_in_a_race(town: Town, crowd: list[Person]) -> None:
    """Of many who accept at the same moment as many join as there are seats."""
    owner, *invited = crowd
    found = owner.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    seats(town, found, 3)
    for one in invited:
        owner.do("POST", f"/organizations/{found}/invitations", json={"email": one.email})
    forms = [{"token": one.letter_token(one.email)} for one in invited]
    town.forget()
    acts = [
        lambda one=one, form=form: one.send("POST", "/invitations/accept", data=form)
        for one, form in zip(invited, forms, strict=True)
    ]
    assert sorted(answer.status_code for answer in at_once(acts)) == [200, 200, 409, 409, 409]
    assert len(overview(owner, found)["members"]) == 3
    assert len(town.events("org.member_added")) == 2


def test_double_click_joins_once(town: Town, crowd: list[Person]) -> None:
    """Whoever accepts twice at the same moment is one member, and one event."""
    owner, invited = crowd[:2]
    found = owner.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"]
    owner.do("POST", f"/organizations/{found}/invitations", json={"email": invited.email})
    form = {"token": invited.letter_token(invited.email)}
    town.forget()
    twins = [Person(http=one.http, email=invited.email, session_token=invited.session_token) for one in crowd[1:3]]
    answers = at_once([lambda one=one: one.send("POST", "/invitations/accept", data=form) for one in twins])
    assert [answer.status_code for answer in answers].count(200) == 1
    assert len(town.events("org.member_added")) == 1


def test_lowered_seats_keep_members(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """Who is in when the number of seats falls stays in; nobody is reported as removed."""
    join(user, another, organization_id)
    town.forget()
    seats(town, organization_id, 1)
    assert len(overview(user, organization_id)["members"]) == 2
    assert town.events() == []


def test_bought_seats_end_trial(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """Seats that are bought end the trial, and make the buyer an owner again who was removed."""
    join(user, another, organization_id, role="owner")
    another.do("DELETE", f"/organizations/{organization_id}/members/{user.kilo_user_id}")
    town.forget()
    for _ in range(2):
        with town.running.cloud.transaction() as work:
            set_seats(work, organization_id, 5, owner_id=user.kilo_user_id)
    [event] = town.events()
    assert event["type"] == "org.member_added"
    assert event["data"] == facts(user, organization_id, "owner") | {"in_free_trial": False}


def test_paid_seats_are_counted(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """Seats that are paid for on Stripe's page are there to take, and their buyer is an owner again if he was not."""
    join(user, another, organization_id, role="owner")
    wish = {"organization_id": organization_id, "seats": 3}
    page = user.do("POST", "/billing/seats", json=wish).json()
    another.do("DELETE", f"/organizations/{organization_id}/members/{user.kilo_user_id}")
    town.forget()
    assert user.pay(page).status_code == 303
    town.settle()
    seen = overview(another, organization_id)
    assert (seen["seats"], seen["in_free_trial"]) == (3, False)
    assert {(one["kilo_user_id"], one["role"]) for one in seen["members"]} == {
        (user.kilo_user_id, "owner"),
        (another.kilo_user_id, "owner"),
    }
    [event] = town.events("org.member_added")
    assert event["data"] == facts(user, organization_id, "owner") | {"in_free_trial": False}


def test_trial_ends_by_itself(town: Town, user: Person, organization_id: str) -> None:
    """After two weeks the trial is over, without anybody's doing."""
    with town.running.cloud.database.writing() as session:
        ended = town.running.cloud.clock() - timedelta(seconds=1)
        session.execute(update(Organization).where(Organization.id == organization_id).values(trial_ends_at=ended))
    user.come_in()
    [body] = town.arrived("/api/auth-event")
    assert body["org_memberships"][0]["in_free_trial"] is False


def test_administrators_manage_members_only(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """An organization's administrator invites and removes plain members, and touches no owner and no role."""
    join(user, another, organization_id, role="admin")
    third = town.resident()
    path = f"/organizations/{organization_id}"
    join(another, third, organization_id)
    town.forget()
    owner = {"email": "x@example.com", "role": "owner"}
    assert another.send("POST", f"{path}/invitations", json=owner).status_code == 403
    assert another.send("DELETE", f"{path}/members/{user.kilo_user_id}").status_code == 403
    assert another.send("POST", f"{path}/members/{third.kilo_user_id}/role", json={"role": "admin"}).status_code == 403
    assert another.send("POST", f"{path}/plan", json={"plan": "enterprise"}).status_code == 403
    assert another.send("DELETE", path).status_code == 403
    assert third.send("POST", f"{path}/invitations", json={"email": "x@example.com"}).status_code == 403
    another.do("DELETE", f"{path}/members/{third.kilo_user_id}")
    assert [event["data"]["kilo_user_id"] for event in town.events()] == [third.kilo_user_id]


def test_strangers_see_nothing(town: Town, another: Person, organization_id: str) -> None:
    """Only members see an organization."""
    assert another.send("GET", f"/organizations/{organization_id}").status_code == 404
    assert another.do("GET", "/organizations").json() == []
    assert another.send("POST", f"/admin/organizations/{organization_id}/seats", json={"seats": 9}).status_code == 403


def test_ended_organization_takes_nobody(town: Town, user: Person, another: Person, organization_id: str) -> None:
    """An invitation does not outlive its organization."""
    user.do("POST", f"/organizations/{organization_id}/invitations", json={"email": another.email})
    token = another.letter_token(another.email)
    user.do("DELETE", f"/organizations/{organization_id}")
    town.forget()
    assert another.send("POST", "/invitations/accept", data={"token": token}).status_code == 400
    assert town.events() == []
