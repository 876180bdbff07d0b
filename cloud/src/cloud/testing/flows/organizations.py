"""Organizations and who is in them."""

from cloud.story.person import Person
from cloud.testing.flows.flow import Flows, Ready
from cloud.testing.town import Town

FLOWS = Flows()


def found(owner: Person) -> str:
    """Found an organization and return its id."""
    return str(owner.do("POST", "/organizations", json={"name": "works"}).json()["organization_id"])


def make_member(town: Town, organization: str, person: Person, role: str = "member") -> None:
    """Have an administrator of the company make the person a member."""
    wish = {"kilo_user_id": person.kilo_user_id, "role": role}
    town.admin.do("POST", f"/admin/organizations/{organization}/members", json=wish)


def invite(owner: Person, organization: str, person: Person, role: str = "member") -> str:
    """Invite the person and return the letter's token."""
    owner.do("POST", f"/organizations/{organization}/invitations", json={"email": person.email, "role": role})
    return person.letter_token(person.email)


@FLOWS.shows(
    ("org.created", "user creates", "organizations.routes.post_organization"),
    ("org.member_added", "the first owner", "organizations.founding.create_organization"),
)
def found_one(town: Town) -> Ready:
    user = town.resident()
    wish = {"name": "works", "plan": "enterprise"}
    return Ready(act=lambda: user.send("POST", "/organizations", json=wish), names={"user": user.kilo_user_id})


@FLOWS.shows(("org.created", "admin creates", "organizations.admin_routes.post_founding"))
def found_for_somebody(town: Town) -> Ready:
    user = town.resident()
    wish = {"name": "works", "plan": "enterprise", "owner_id": user.kilo_user_id}
    return Ready(
        act=lambda: town.admin.send("POST", "/admin/organizations", json=wish), names={"user": user.kilo_user_id}
    )


def found_without_owner(town: Town) -> str:
    """Have an administrator found an organization and return its id."""
    wish = {"name": "works", "plan": "enterprise"}
    return str(town.admin.do("POST", "/admin/organizations", json=wish).json()["organization_id"])


@FLOWS.shows(("org.created", "an owner who comes later", "organizations.service.add_member"))
def own_what_an_admin_founded(town: Town) -> Ready:
    user = town.resident()
    organization = found_without_owner(town)
    path, owner = f"/admin/organizations/{organization}/members", {"kilo_user_id": user.kilo_user_id, "role": "owner"}
    return Ready(
        act=lambda: town.admin.send("POST", path, json=owner),
        names={"user": user.kilo_user_id, "organization": organization},
    )


@FLOWS.shows(("org.created", "sponsorship import", "organizations.sponsorships.import_sponsorships"))
def be_sponsored(town: Town) -> Ready:
    user = town.resident()
    line = {"sponsorship_id": town.new_word(), "name": "open", "owner_email": user.email, "seats": 3}
    return Ready(
        act=lambda: town.admin.send("POST", "/admin/organizations/sponsorships", json={"lines": [line]}),
        names={"user": user.kilo_user_id},
    )


@FLOWS.shows(("org.deleted", "soft delete by owner", "organizations.routes.delete_organization_page"))
def end_own(town: Town) -> Ready:
    owner = town.resident()
    organization = found(owner)
    return Ready(
        act=lambda: owner.send("DELETE", f"/organizations/{organization}"),
        names={"user": owner.kilo_user_id, "organization": organization},
    )


@FLOWS.shows(("org.deleted", "soft delete by admin", "organizations.routes.delete_organization_page"))
def end_by_admin(town: Town) -> Ready:
    owner = town.resident()
    organization = found(owner)
    return Ready(
        act=lambda: town.admin.send("DELETE", f"/organizations/{organization}"),
        names={"user": owner.kilo_user_id, "organization": organization},
    )


@FLOWS.shows(("org.member_added", "invitation accepted", "organizations.invitations.accept_invitation"))
def accept(town: Town) -> Ready:
    owner, user = town.resident(), town.resident()
    organization = found(owner)
    form = {"token": invite(owner, organization, user, "admin")}
    return Ready(
        act=lambda: user.send("POST", "/invitations/accept", data=form),
        names={"user": user.kilo_user_id, "organization": organization},
    )


@FLOWS.shows(("org.member_added", "admin add", "organizations.admin_routes.post_member"))
def be_added(town: Town) -> Ready:
    owner, user = town.resident(), town.resident()
    organization = found(owner)
    path, wish = f"/admin/organizations/{organization}/members", {"kilo_user_id": user.kilo_user_id}
    return Ready(
        act=lambda: town.admin.send("POST", path, json=wish),
        names={"user": user.kilo_user_id, "organization": organization},
    )


@FLOWS.shows(("org.member_removed", "owner or admin removes", "organizations.routes.delete_member"))
def be_removed(town: Town) -> Ready:
    owner, user = town.resident(), town.resident()
    organization = found(owner)
    make_member(town, organization, user, "admin")
    path = f"/organizations/{organization}/members/{user.kilo_user_id}"
    return Ready(
        act=lambda: owner.send("DELETE", path), names={"user": user.kilo_user_id, "organization": organization}
    )


@FLOWS.shows(("org.member_removed", "user leaves", "organizations.routes.post_leave"))
def leave(town: Town) -> Ready:
    owner, user = town.resident(), town.resident()
    organization = found(owner)
    make_member(town, organization, user)
    return Ready(
        act=lambda: user.send("POST", f"/organizations/{organization}/leave"),
        names={"user": user.kilo_user_id, "organization": organization},
    )
