"""Organizations come and go, and so do their members."""

from typing import Any

import pytest

from cloud.story.person import Person
from cloud.testing import Town


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
