"""Who is asking: sessions begin at a sign-in and end when they should."""

from collections.abc import Iterator

import pytest

from cloud.story.browser import Browser
from cloud.story.person import Person
from cloud.testing import Town


@pytest.fixture
def browser(user: Person) -> Iterator[Browser]:
    """The user's browser, signed in by a cookie."""
    with Browser(person=user) as found:
        found.sign_in("google")
        yield found


def test_cookie_is_out_of_reach(browser: Browser) -> None:
    """Scripts cannot read the cookie, other sites' forms cannot send it."""
    cookie = browser.sign_in("google").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_sign_out_ends_session(browser: Browser) -> None:
    """After a sign-out a kept copy of the cookie is worth nothing."""
    kept = dict(browser.client.cookies)
    assert browser.send("GET", "/account").status_code == 200
    assert browser.send("POST", "/auth/sign-out").status_code == 204
    browser.client.cookies.update(kept)
    assert browser.send("GET", "/account").status_code == 401


def test_sign_out_ends_this_session_only(browser: Browser, user: Person) -> None:
    """Other sessions of the same account go on."""
    browser.send("POST", "/auth/sign-out")
    assert user.send("GET", "/account").status_code == 200
    user.do("POST", "/auth/sign-out")
    assert user.send("GET", "/account").status_code == 401


def test_block_ends_page_sessions(town: Town, browser: Browser, user: Person) -> None:
    """A block ends what the browser has for good; a program is told of the block, and goes on when it is lifted."""
    path = f"/admin/users/{user.kilo_user_id}"
    town.admin.do("POST", f"{path}/block", json={"reason": "spam"})
    assert browser.send("GET", "/account").status_code == 401
    refused = user.send("GET", "/account")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "account_blocked")
    town.admin.do("POST", f"{path}/unblock", json={"reason": "appeal"})
    assert browser.send("GET", "/account").status_code == 401
    assert user.send("GET", "/account").status_code == 200


def test_deletion_ends_all_sessions(browser: Browser, user: Person) -> None:
    """A deleted account has no session, in no browser and no program."""
    user.do("DELETE", "/account")
    assert browser.send("GET", "/account").status_code == 401
    assert user.send("GET", "/account").status_code == 401


def test_tokens_have_one_place(browser: Browser, user: Person) -> None:
    """A cookie's token is no bearer token, and the other way round."""
    cookie, bearer = browser.client.cookies["cloud_session"], user.session_token
    user.session_token = cookie
    assert user.send("GET", "/account").status_code == 401
    browser.client.cookies.clear()
    assert browser.send("GET", "/account", headers={"cookie": f"cloud_session={bearer}"}).status_code == 401


def test_program_tokens_are_no_signin(town: Town, browser: Browser, user: Person) -> None:
    """A browser gives out tokens for programs; neither that nor their use is a sign-in."""
    town.forget()
    user.session_token = browser.send("POST", "/account/api-tokens").json()["token"]
    assert user.do("GET", "/account").json()["kilo_user_id"] == user.kilo_user_id
    assert town.arrived("/api/auth-event") == []


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site", "origin": "https://evil.example.com"},
        {"sec-fetch-site": "same-site", "origin": "https://sister.example.com"},
        {"sec-fetch-site": None, "origin": "https://evil.example.com"},
        {"sec-fetch-site": None, "origin": "null"},
        {"sec-fetch-site": None},
    ],
)
def test_other_sites_change_nothing(browser: Browser, user: Person, headers: dict[str, str | None]) -> None:
    """A form on another site that a signed-in visitor sends changes nothing, though his cookie comes along."""
    answer = browser.send("DELETE", "/account", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site")
    assert user.send("GET", "/account").status_code == 200


@pytest.mark.parametrize("said", ["sec-fetch-site", "origin"])
def test_own_pages_may_change(town: Town, browser: Browser, said: str) -> None:
    """What a page of this site sends is taken, from browsers that say it in either way."""
    words = {"sec-fetch-site": "same-origin", "origin": town.running.url}
    headers = {"sec-fetch-site": None, said: words[said]}
    assert browser.send("POST", "/account/api-tokens", headers=headers).status_code == 201


def test_other_sites_sign_nobody_in(user: Person) -> None:
    """A form on another site cannot sign a visitor in as somebody else."""
    user.do("POST", "/auth/email-link", json={"email": user.email})
    form, evil = {"token": user.letter_token(user.email)}, {"origin": "https://evil.example.com"}
    assert user.send("POST", "/auth/email-link/confirm", data=form, headers=evil).status_code == 403
    assert user.send("POST", "/auth/email-link/confirm", data=form).status_code == 200
