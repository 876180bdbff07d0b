"""The pages: who sees them, what they do, what they refuse, and what they let into themselves."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi.routing import APIRoute

from cloud import pages
from cloud.accounts.sessions import COOKIE
from cloud.gateway.overview import list_outcomes
from cloud.gateway.refusals import KEPT
from cloud.pages.page import NOTICE_COOKIE
from cloud.pages.site import ROUTERS
from cloud.running import run_cloud
from cloud.story.person import Person
from cloud.testing import Town, classification_of
from cloud.testing.visitor import Visitor, open_window

HOSTILE = "<script>alert(1)</script>\"'><img/src=x/onerror=alert(1)>"
ROUTES = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
FORMS = sorted(route.path for route in ROUTES if "POST" in route.methods)
PAGES = sorted(route.path for route in ROUTES if "GET" in route.methods and "{" not in route.path)
OPEN_PAGES = {"/", "/sign-in", "/letters", "/auth/email-link", "/account/email/confirm", "/invitations"}
TEMPLATES = sorted((Path(pages.__file__).parent / "templates").rglob("*.html"))
NAMES = ("email", "token", "name", "plan", "code", "tier", "amount_usd", "note", "reason", "role", "seats", "domain")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
numbers = count(1)


@pytest.fixture
def new_visitor(town: Town) -> Iterator[Callable[[], Visitor]]:
    with ExitStack() as windows:
        yield lambda: windows.enter_context(open_window(town.running.url))


@pytest.fixture
def visitor(new_visitor: Callable[[], Visitor]) -> Visitor:
    return new_visitor()


@pytest.fixture
def admin(new_visitor: Callable[[], Visitor], town: Town) -> Visitor:
    window = new_visitor()
    window.sign_in(town.running.admin_email)
    return window


def new_email() -> str:
    return f"page-visitor-{next(numbers)}@example.com"


def id_of(visitor: Visitor) -> str:
    found = UUID.search(visitor.get("/profile").text)
    assert found is not None
    return found.group()


def rows_of(page: str) -> list[tuple[str, str]]:
    """Return of each request that the page lists its id and what came of it."""
    table = page.partition("What came of the newest requests")[2]
    rows = re.findall(r"<tr><td>.*?</tr>", table, re.DOTALL)
    texts = [[" ".join(re.sub(r"<[^>]+>", "", cell).split()) for cell in row.split("</td>")] for row in rows]
    return [(cells[5], cells[2]) for cells in texts]


def test_newcomer_comes_in(visitor: Visitor) -> None:
    """A letter signs a newcomer up, the welcome form follows, and a sign-out ends it."""
    email = new_email()
    assert visitor.sign_in(email).url.path == "/welcome"
    thanks = visitor.post("/welcome", {"github_url": "https://github.com/ada", "linkedin_url": ""})
    assert thanks.url.path == "/dashboard"
    assert "Thank you, and welcome." in thanks.text
    assert "Thank you, and welcome." not in visitor.get("/dashboard").text
    assert email in visitor.get("/profile").text
    assert "https://github.com/ada" in visitor.get("/profile").text
    assert "You are signed out." in visitor.post("/sign-out").text
    assert visitor.get("/dashboard").url.path == "/sign-in"


def test_visitor_returns_where_he_was(visitor: Visitor) -> None:
    """Who is asked to sign in comes back to the page that he wanted, with its query."""
    visitor.sign_in(new_email())
    visitor.post("/sign-out")
    asked = visitor.get("/credits?from=letter")
    assert asked.url.path == "/sign-in"
    assert asked.url.params["return_to"] == "/credits?from=letter"
    assert visitor.sign_in(new_email(), "/credits?from=letter").url.path == "/credits"


@pytest.mark.parametrize("address", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_visitor_is_sent_nowhere_else(visitor: Visitor, address: str) -> None:
    """No link or cookie makes the sign-in lead to another site."""
    assert visitor.get("/sign-in", params={"return_to": address}).status_code == 422
    assert visitor.sign_in(new_email(), address).url.path == "/dashboard"


@pytest.mark.parametrize("path", sorted(set(PAGES) - OPEN_PAGES))
def test_page_needs_sign_in(visitor: Visitor, path: str) -> None:
    """Every page but the open ones sends a stranger to the sign-in, also one whose session is forged."""
    assert visitor.get(path).url.path == "/sign-in"
    visitor.http.cookies.set(COOKIE, "forged", domain="127.0.0.1")
    assert visitor.get(path).url.path == "/sign-in"


@pytest.mark.parametrize("path", [path for path in PAGES if path.startswith("/backoffice")])
def test_office_needs_administrator(visitor: Visitor, path: str) -> None:
    """The back office is closed to everybody else, and its link is not shown."""
    visitor.sign_in(new_email())
    assert visitor.get(path).status_code == 403
    assert "/backoffice" not in visitor.get("/dashboard").text


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "said",
    [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://evil.example"}, {}],
    ids=["cross-site", "same-site", "origin", "silent"],
)
def test_form_of_another_site_is_refused(admin: Visitor, path: str, said: dict[str, str]) -> None:
    """No form can be sent by another site's page in a visitor's name, whatever is in it."""
    del admin.http.headers["sec-fetch-site"]
    answer = admin.post(path.replace("{", "").replace("}", ""), {"email": "x@example.com"}, headers=said)
    assert answer.status_code == 403
    assert "another site" in answer.text


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.stem)
def test_template_holds_no_script(template: Path) -> None:
    """No template holds a script, a handler, a style or a foreign address that the policy would have to let through."""
    text = template.read_text()
    assert not re.search(
        r"<script(?![^>]*\bsrc=\"(/static/|{{ check\.script_url }}))|\son\w+=|\sstyle=|<style|(src|href)=\"https?:",
        text,
    )
    assert "safe" not in re.findall(r"\|\s*(\w+)", text)


@pytest.mark.parametrize("path", [*PAGES, "/nowhere", "/teams/nowhere"])
def test_page_keeps_strict_policy(admin: Visitor, town: Town, path: str) -> None:
    """Every page, a refusal too, allows its own scripts only, no frame around it, and no copy in a cache."""
    headers = admin.get(path, params={"token": "x"} if path == "/auth/email-link" else None).headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    check = town.running.cloud.settings.device_check_url or ""
    # The ways in show the browser to the device check, and nothing else is let in there.
    beside = f" {check}" if path in ("/sign-in", "/auth/email-link") else ""
    assert policy["script-src"] == policy["connect-src"] == f"'self'{beside}"
    assert policy["style-src"] == policy["img-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["cache-control"] == "no-store"


def test_hostile_names_are_escaped(visitor: Visitor, admin: Visitor, town: Town) -> None:
    """What people call themselves, their teams and their reasons is text on every page, never markup."""
    email = f"<script>alert({next(numbers)})</script>@example.com"
    visitor.sign_in(email)
    team = visitor.post("/teams", {"name": HOSTILE, "plan": "teams"})
    user_id = id_of(visitor)
    noted = admin.post(f"/backoffice/users/{user_id}/grant", {"amount_usd": "1", "note": HOSTILE})
    looked = [team, noted, *(visitor.get(path) for path in ("/teams", "/profile", "/playground", "/credits"))]
    looked += [admin.get("/backoffice", params={"q": HOSTILE}), admin.get("/backoffice/log"), admin.get("/backoffice")]
    looked += [visitor.post("/sign-in", {"email": email}), visitor.get("/letters", params={"recipient": email})]
    for page in looked:
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img/src" not in page.text
    assert "&lt;script&gt;" in team.text
    assert "&lt;script&gt;" in noted.text


def test_forged_notice_is_not_shown(visitor: Visitor) -> None:
    """A notice that the site has not signed is not shown."""
    visitor.http.cookies.set(NOTICE_COOKIE, '["Send your password to evil.example", true]')
    assert "evil" not in visitor.get("/").text


def test_refusal_is_told_beside_the_form(visitor: Visitor, town: Town) -> None:
    """A form that is refused says why on its own page; a program gets the same in JSON."""
    visitor.sign_in(new_email())
    referer = {"referer": f"{town.running.url}/credits"}
    told = visitor.post("/credits/code", {"code": "NOPE"}, headers=referer)
    assert told.url.path == "/credits"
    assert 'role="alert">found no such code' in told.text
    assert "amount_usd: " in visitor.post("/credits/buy", {"amount_usd": "much"}, headers=referer).text
    answer = visitor.post("/credits/code", {"code": "NOPE"}, headers=referer | {"accept": "*/*"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["//evil.example/", "/\\evil.example"])
def test_refusal_leads_nowhere_else(visitor: Visitor, town: Town, path: str) -> None:
    """A refusal goes back to a page of this site, whatever the browser says that it came from."""
    visitor.sign_in(new_email())
    told = visitor.post("/credits/code", {"code": "NOPE"}, headers={"referer": f"{town.running.url}{path}"})
    assert told.url.path == "/dashboard"
    assert "found no such code" in told.text


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize("text", ["\x00", "\U0001f9ff" * 5_000, "%", "' OR 1=1 --", "0", "-1"])
def test_garbage_breaks_no_form(admin: Visitor, path: str, text: str) -> None:
    """Whatever is written into a form is done or refused, and nothing breaks."""
    form = dict.fromkeys((*NAMES, "kilo_user_ids", "blocked_reason", "since", "until", "return_to"), text)
    answer = admin.post(path.replace("{", "").replace("}", ""), form)
    assert answer.status_code < 500


def test_return_that_nobody_began_is_told(visitor: Visitor) -> None:
    """Who comes back from a provider without having left for it reads why on a page."""
    told = visitor.get("/auth/with/google/callback", params={"state": "x", "code": "y"})
    assert told.status_code == 400
    assert "begin anew" in told.text


def test_broken_database_is_told(tmp_path: Path) -> None:
    """Where the database fails a person reads so on a page, and a program in JSON."""
    with run_cloud(tmp_path) as running, open_window(running.url) as visitor:
        visitor.sign_in(new_email())
        with sqlite3.connect(tmp_path / "cloud.db") as database:
            database.execute("ALTER TABLE users RENAME TO lost_users")
        database.close()
        page, answer = visitor.get("/dashboard"), visitor.get("/dashboard", headers={"accept": "*/*"})
    assert (page.status_code, answer.status_code) == (503, 503)
    assert "try again" in page.text
    assert "users" not in page.text
    assert answer.json()["error"]["code"] == "unavailable"


def test_key_works_until_revoked(visitor: Visitor, new_visitor: Callable[[], Visitor], town: Town) -> None:
    """A key is shown once and works at the gateway until its owner, and nobody else, revokes it."""
    visitor.sign_in(new_email())
    made = visitor.post("/keys").text
    key = re.search(r'id="new-key"[^>]*value="([^"]+)"', made)
    revoke = re.search(r"/keys/[0-9a-f]+/revoke", made)
    assert key is not None
    assert revoke is not None
    assert key.group(1) not in visitor.get("/keys").text
    program = Person(http=town.http, email="program", session_token=key.group(1))
    assert program.chat().status_code == 200
    stranger = new_visitor()
    stranger.sign_in(new_email())
    assert stranger.post(revoke.group()).status_code == 404
    assert program.chat().status_code == 200
    assert "The key is revoked." in visitor.post(revoke.group()).text
    assert program.chat().status_code == 401


def test_dashboard_shows_what_came_of_requests(visitor: Visitor, admin: Visitor, town: Town) -> None:
    """The dashboard adds up what was used and tells what came of each request; verdicts are for administrators."""
    visitor.sign_in(new_email())
    key = re.search(r'id="new-key"[^>]*value="([^"]+)"', visitor.post("/keys").text)
    assert key is not None
    program = Person(http=town.http, email="program", session_token=key.group(1))
    for _ in range(2):
        program.chat(max_tokens=1_000)
    told = {"action": "quarantine-3", "request_id": 8, "model_override": "open/swift-1"}
    town.sink.classification = classification_of(verdict="SOFT_BLOCK", **told)
    program.chat(model="acme/grand-2:free")
    town.sink.classification = classification_of(verdict="HARD_BLOCK", action="block", request_id=9)
    program.chat()
    town.settle()
    shown = visitor.get("/dashboard").text
    requests = {int(row[0]): row[1:] for row in rows_of(shown)}
    assert "2,064" in shown
    assert requests == {7: ("answered",), 8: ("answered by open/swift-1",), 9: ("refused 403 abuse_blocked",)}
    assert "HARD_BLOCK" not in shown
    office = admin.get(f"/backoffice/users/{id_of(visitor)}").text
    assert office.count("ALLOW") == 2
    assert "SOFT_BLOCK" in office
    assert "HARD_BLOCK" in office


def test_refusals_are_kept_in_bounds(user: Person, town: Town) -> None:
    """Somebody who is refused without end leaves the newest of it, and nothing of anybody else is lost."""
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/block", json={"reason": "flood"})
    other = town.resident()
    other.chat(model="acme/grand-2")
    for _ in range(KEPT + 3):
        assert user.chat().status_code == 403
    town.settle()
    with town.running.cloud.database.reading() as session:
        assert len(list_outcomes(session, user.kilo_user_id, 1_000)) == KEPT
        [refused] = list_outcomes(session, other.kilo_user_id, 1_000)
    assert (refused.status, refused.code) == (402, "insufficient_credits")


def test_account_is_deleted_by_its_owner(visitor: Visitor, town: Town) -> None:
    """Who writes the address down once more is forgotten; a wrong one deletes nothing."""
    email = new_email()
    visitor.sign_in(email)
    assert "nothing was deleted" in visitor.post("/profile/delete", {"email": "other@example.com"}).text
    assert email in visitor.get("/profile").text
    assert "Your account is deleted." in visitor.post("/profile/delete", {"email": email.upper()}).text
    assert visitor.get("/profile").url.path == "/sign-in"
    assert len(town.events("user.deleted")) == 1


def test_address_changes_by_its_letter(visitor: Visitor, town: Town) -> None:
    """A new address counts when its letter was read, and the event tells both."""
    old, new = new_email(), new_email()
    visitor.sign_in(old)
    visitor.post("/profile/email", {"email": new})
    assert new not in visitor.get("/profile").text
    link = re.search(
        r"/account/email/confirm\?token=([^\"&]+)", visitor.get("/letters", params={"recipient": new}).text
    )
    assert link is not None
    assert "Use this address" in visitor.get(link.group()).text
    assert new in visitor.post("/profile/email/confirm", {"token": link.group(1)}).text
    [event] = town.events("user.email_changed")
    assert (event["data"]["email"], event["data"]["previous_email"]) == (new, old)


def test_team_is_founded_joined_and_left(visitor: Visitor, new_visitor: Callable[[], Visitor]) -> None:
    """Owners invite, give roles and remove; the invited joins after signing in, and leaves; the last owner stays."""
    visitor.sign_in(new_email())
    team = visitor.post("/teams", {"name": "Engines", "plan": "teams"}).url.path
    guest, email = new_visitor(), new_email()
    assert "on its way" in visitor.post(f"{team}/invite", {"email": email, "role": "member"}).text
    link = re.search(r"/invitations\?token=[^\"&]+", visitor.get("/letters", params={"recipient": email}).text)
    assert link is not None
    assert "Sign in, or sign up" in guest.get(link.group()).text
    assert guest.sign_in(email, link.group()).url.path == "/invitations"
    joined = guest.post("/invitations/join", {"token": link.group().partition("=")[2]})
    assert joined.url.path == team
    assert guest.post(f"{team}/delete").status_code == 403
    assert "The role is changed." in visitor.post(f"{team}/members/{id_of(guest)}/role", {"role": "admin"}).text
    assert "You left the team." in guest.post(f"{team}/leave").text
    assert guest.get(team).status_code == 404
    assert visitor.post(f"{team}/leave").status_code == 409
    assert "The team is no more." in visitor.post(f"{team}/delete").text


def test_purchase_leads_to_payment_page(visitor: Visitor, town: Town) -> None:
    """Credits, a pass and seats are paid for on the payment page, which alone may take the form's redirection."""
    visitor.sign_in(new_email())
    team = visitor.post("/teams", {"name": "Engines", "plan": "teams"}).url.path
    organization_id = team.rpartition("/")[2]
    for path, form in (
        ("/credits/buy", {"amount_usd": "12.34"}),
        ("/credits/buy", {"amount_usd": "10", "organization_id": organization_id}),
        ("/credits/pass", {"tier": "tier_19"}),
        (f"{team}/seats", {"seats": "3"}),
    ):
        paying = visitor.post(path, form, follow_redirects=False)
        to = urlsplit(paying.headers["location"])
        assert f"{to.scheme}://{to.netloc}" == town.running.stripe.base_url
        assert town.running.stripe.base_url in visitor.get("/credits").headers["content-security-policy"]


def test_code_is_redeemed(visitor: Visitor, town: Town) -> None:
    """A promotional code gives its credits, and the movement is listed."""
    wish = {"code": f"PAGE-{next(numbers)}", "microdollars": 2_500_000, "reason": "launch"}
    town.admin.do("POST", "/admin/promo-codes", json=wish)
    visitor.sign_in(new_email())
    assert "The code gave you $2.50." in visitor.post("/credits/code", {"code": wish["code"]}).text
    assert "+$2.50" in visitor.get("/credits").text


def test_block_is_seen_by_the_blocked(visitor: Visitor, admin: Visitor, town: Town) -> None:
    """A block with its reason ends the user's pages and turns him away with words; unblocked, he comes in again."""
    email = new_email()
    visitor.sign_in(email)
    home = f"/backoffice/users/{id_of(visitor)}"
    assert admin.post(f"{home}/block", {"reason": ""}).status_code == 422
    assert "The user is blocked." in admin.post(f"{home}/block", {"reason": "resold keys"}).text
    assert visitor.get("/dashboard").url.path == "/sign-in"
    refused = visitor.sign_in(email)
    assert refused.status_code == 403
    assert "the account is blocked" in refused.text
    [event] = town.events("user.blocked")
    assert event["data"]["reason"] == "resold keys"
    assert event["data"]["actor_email"] == town.running.admin_email
    assert "The block is lifted." in admin.post(f"{home}/unblock", {"reason": "appeal accepted"}).text
    assert visitor.sign_in(email).url.path == "/dashboard"
    log = admin.get("/backoffice/log").text
    assert "resold keys" in log
    assert "appeal accepted" in log


def test_office_grants_and_refunds(visitor: Visitor, admin: Visitor) -> None:
    """An administrator finds a user by a part of the address, grants credits, and ends all business with him."""
    email = new_email()
    visitor.sign_in(email)
    user_id = id_of(visitor)
    assert user_id in admin.get("/backoffice", params={"q": email[:-4].upper()}).text
    assert email in admin.get("/backoffice", params={"q": user_id}).text
    assert "Nobody is found." in admin.get("/backoffice", params={"q": "100%_nobody"}).text
    home = f"/backoffice/users/{user_id}"
    assert "$7.50" in admin.post(f"{home}/grant", {"amount_usd": "7.5", "note": "welcome"}).text
    assert "$7.50" in visitor.get("/credits").text
    refunded = admin.post(f"{home}/refund", {"reason": "chargeback"})
    assert "0 payments paid back" in refunded.text
    assert "cancelled and refunded: chargeback" in refunded.text
    assert admin.get("/backoffice/users/nobody").status_code == 404


def test_office_blocks_and_unblocks_many(new_visitor: Callable[[], Visitor], admin: Visitor) -> None:
    """A list of ids is blocked at once and unblocked by reason and date; unknown ids are counted."""
    ids = []
    for _ in range(2):
        window = new_visitor()
        window.sign_in(new_email())
        ids.append(id_of(window))
    reason = f"farm {next(numbers)}"
    form = {"kilo_user_ids": f"{ids[0]},\n{ids[1]}  nobody", "reason": reason}
    assert "2 blocked, 0 were blocked already, 1 unknown." in admin.post("/backoffice/bulk/block", form).text
    now = datetime.now(UTC)
    times = {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}
    told = {name: f"{at:%Y-%m-%dT%H:%M}" for name, at in times.items()}
    lifted = admin.post("/backoffice/bulk/unblock", {"blocked_reason": reason, "reason": "mistake", **told})
    assert "2 unblocked." in lifted.text


def test_office_blacklists_domain(visitor: Visitor, admin: Visitor) -> None:
    """A blacklisted domain's people are blocked and nobody new comes from it, until it is cleared."""
    domain = f"farm-{next(numbers)}.example"
    visitor.sign_in(f"one@{domain}")
    done = admin.post("/backoffice/domains", {"domain": domain, "reason": "farm"})
    assert "1 users are blocked" in done.text
    assert domain in done.text
    assert visitor.sign_in(f"two@{domain}").status_code == 403
    assert "off the blacklist" in admin.post(f"/backoffice/domains/{domain}/clear", {"reason": "sold"}).text
    assert visitor.sign_in(f"two@{domain}").url.path == "/welcome"
