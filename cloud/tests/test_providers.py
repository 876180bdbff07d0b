"""Sign-in by providers, over HTTP to a provider that signs with real keys; and the attacks that must not get in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from sqlalchemy import select

from cloud.accounts.models import SignInAttempt
from cloud.local.identities import new_key
from cloud.running import bound_socket, run_cloud
from cloud.story.browser import Browser
from cloud.story.person import Person
from cloud.testing import Town, run_sink

ALL = pytest.mark.parametrize("provider", ["google", "github"])


@pytest.fixture
def browser(stranger: Person) -> Iterator[Browser]:
    with Browser(person=stranger) as found:
        yield found


@pytest.fixture
def other_browser(town: Town) -> Iterator[Browser]:
    with Browser(person=town.newcomer()) as found:
        yield found


@pytest.fixture(autouse=True)
def honest_provider(town: Town) -> Iterator[None]:
    yield
    town.running.identity_provider.behave()


def account_of(browser: Browser) -> dict[str, Any]:
    found: dict[str, Any] = browser.send("GET", "/account").raise_for_status().json()
    return found


def error_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


def changed(address: str, **query: str) -> str:
    parts = urlsplit(address)
    told = {name: values[0] for name, values in parse_qs(parts.query).items()} | query
    return parts._replace(query=urlencode(told)).geturl()


@pytest.mark.parametrize(
    ("provider", "said", "domain"),
    [
        ("google", {"hosted_domain": "works.example.com"}, "works.example.com"),
        ("google", {}, "@@personal@@"),
        ("github", {}, "@@github@@"),
    ],
)
def test_newcomer_signs_up(town: Town, browser: Browser, provider: str, said: dict[str, str], domain: str) -> None:
    """A verified address opens an account; the event tells the provider, the workspace or its marker, the source."""
    answer = browser.sign_in(provider, wish={"customer_source": "ad-7", "return_to": "/welcome?step=1"}, **said)
    assert (answer.status_code, answer.headers["location"]) == (303, "/welcome?step=1")
    account = account_of(browser)
    assert account["email"] == browser.person.email
    [body] = town.arrived("/api/auth-event")
    assert (body["event_type"], body["kilo_user_id"]) == ("signup", account["kilo_user_id"])
    assert (body["auth_method"], body["auth_providers"]) == (provider, [provider])
    assert (body["hosted_domain"], body["customer_source"]) == (domain, "ad-7")
    assert body["has_github_url"] is (provider == "github")
    assert body["signup_ip"] == body["ip_address"] == browser.person.ip_address


@ALL
def test_known_person_signs_in(town: Town, browser: Browser, provider: str) -> None:
    """The provider's id of a person is the key, also when his address there is another one by now, or unverified."""
    browser.sign_in(provider)
    first = account_of(browser)
    browser.send("POST", "/account/email", json={"email": f"moved-{first['email']}"})
    letter = {"token": browser.person.letter_token(f"moved-{first['email']}")}
    browser.send("POST", "/account/email/confirm", data=letter).raise_for_status()
    town.forget()
    answer = browser.sign_in(provider, browser.person.email, is_verified="")
    assert answer.status_code == 303
    assert account_of(browser)["kilo_user_id"] == first["kilo_user_id"]
    [body] = town.arrived("/api/auth-event")
    assert (body["event_type"], body["email"]) == ("signin", f"moved-{first['email']}")


@ALL
def test_verified_address_links(town: Town, user: Person, provider: str) -> None:
    """A provider that has verified an account's address signs in to it, and is linked from then on."""
    with Browser(person=user) as browser:
        assert browser.sign_in(provider, user.email.upper()).status_code == 303
        assert account_of(browser)["kilo_user_id"] == user.kilo_user_id
    [body] = town.arrived("/api/auth-event")
    assert (body["event_type"], body["auth_method"]) == ("signin", provider)
    assert body["auth_providers"] == sorted(["email", provider])


@ALL
def test_unverified_address_reaches_no_account(town: Town, user: Person, provider: str) -> None:
    """Whoever claims somebody's address at a provider without proving it gets neither in nor linked."""
    with Browser(person=town.newcomer()) as thief:
        answer = thief.sign_in(provider, user.email, is_verified="")
        assert (answer.status_code, error_of(answer)) == (403, "email_unverified")
        assert thief.send("GET", "/account").status_code == 401
    assert user.do("GET", "/account/providers").json() == {"providers": ["email"]}
    assert town.arrived("/api/auth-event") == []


@ALL
def test_unverified_address_opens_no_account(town: Town, browser: Browser, provider: str) -> None:
    """An account under an address that nobody has proved would wait there for its true owner."""
    assert error_of(browser.sign_in(provider, is_verified="")) == "email_unverified"
    assert town.arrived("/api/auth-event") == []


def test_blocked_attempt_is_reported(town: Town, user: Person) -> None:
    """A blocked user who comes by a provider is told, and turned away."""
    town.admin.do("POST", f"/admin/users/{user.kilo_user_id}/block", json={"reason": "spam"})
    with Browser(person=user) as browser:
        assert error_of(browser.sign_in("github")) == "account_blocked"
        assert browser.send("GET", "/account").status_code == 401
    [body] = town.arrived("/api/auth-event")
    assert (body["event_type"], body["is_blocked"], body["auth_method"]) == ("signin", True, "github")


def test_linking_while_signed_in(town: Town, browser: Browser) -> None:
    """A signed-in user links providers under whatever address; each is reported with all of them."""
    browser.sign_in("google")
    town.forget()
    assert browser.link("github", "elsewhere@example.net", is_verified="").status_code == 303
    assert browser.link("discord").status_code == 303
    github, discord = town.arrived("/api/auth-event")
    assert (github["event_type"], github["auth_method"], github["has_github_url"]) == ("signin", "github", True)
    assert github["auth_providers"] == ["github", "google"]
    assert (discord["auth_method"], discord["has_discord_verified"]) == ("discord", True)
    assert github["email"] == discord["email"] == browser.person.email


def test_linked_person_keeps_account(town: Town, browser: Browser, other_browser: Browser) -> None:
    """A provider's person who has an account is not taken over by another one, nor exchanged for a second person."""
    browser.sign_in("github", "first@example.net")
    other_browser.sign_in("google")
    town.forget()
    assert error_of(other_browser.link("github", "first@example.net")) == "conflict"
    assert other_browser.link("github", "second@example.net").status_code == 303
    assert error_of(other_browser.link("github", "third@example.net")) == "conflict"
    assert len(town.arrived("/api/auth-event")) == 1


def test_last_way_in_stays(town: Town, browser: Browser) -> None:
    """Unlinking is allowed while one way to sign in is left; Discord is none."""
    browser.sign_in("google")
    browser.link("discord")
    assert error_of(browser.send("DELETE", "/account/providers/google")) == "conflict"
    browser.link("github")
    assert browser.send("DELETE", "/account/providers/google").status_code == 204
    assert error_of(browser.send("DELETE", "/account/providers/google")) == "not_found"
    assert browser.send("DELETE", "/account/providers/discord").status_code == 204
    town.forget()
    browser.sign_in("github")
    [body] = town.arrived("/api/auth-event")
    assert (body["auth_providers"], body["has_discord_verified"]) == (["github"], False)


def test_discord_opens_no_account(browser: Browser) -> None:
    """A provider that proves no address is for profiles only."""
    assert browser.depart("discord").status_code == 400
    assert browser.depart("nobody").status_code == 404


@ALL
def test_wrong_state_is_refused(browser: Browser, provider: str) -> None:
    """An answer that was not asked for signs nobody in."""
    back = browser.consent(browser.depart(provider), browser.person.email)
    assert error_of(browser.come_back(changed(back, state="made-up"))) == "invalid_state"
    assert browser.send("GET", "/account").status_code == 401


@ALL
def test_other_browser_is_refused(browser: Browser, other_browser: Browser, provider: str) -> None:
    """An attacker's answer, sent to a victim's browser, does not sign the victim in as the attacker."""
    back = browser.consent(browser.depart(provider), browser.person.email)
    assert error_of(other_browser.come_back(back)) == "invalid_state"
    other_browser.depart(provider)
    assert error_of(other_browser.come_back(back)) == "invalid_state"
    assert browser.come_back(back).status_code == 303


@ALL
def test_replayed_return_is_refused(town: Town, browser: Browser, provider: str) -> None:
    """A return works once; its code with a fresh state does not work at all."""
    back = browser.consent(browser.depart(provider), browser.person.email)
    assert browser.come_back(back).status_code == 303
    assert error_of(browser.come_back(back)) == "invalid_state"
    fresh = browser.consent(browser.depart(provider), browser.person.email)
    used = parse_qs(urlsplit(back).query)["code"][0]
    assert error_of(browser.come_back(changed(fresh, code=used))) == "sign_in_refused"
    assert len(town.arrived("/api/auth-event")) == 1


@ALL
def test_stolen_code_is_refused(browser: Browser, other_browser: Browser, provider: str) -> None:
    """Somebody else's code is of no use: its challenge has another verifier."""
    stolen = browser.consent(browser.depart(provider), browser.person.email)
    own = other_browser.consent(other_browser.depart(provider), other_browser.person.email)
    code = parse_qs(urlsplit(stolen).query)["code"][0]
    assert error_of(other_browser.come_back(changed(own, code=code))) == "sign_in_refused"
    assert other_browser.send("GET", "/account").status_code == 401


def test_return_to_other_provider_is_refused(browser: Browser) -> None:
    """A visit that began at one provider does not end at another one."""
    back = browser.consent(browser.depart("google"), browser.person.email)
    assert error_of(browser.come_back(back.replace("/google/", "/github/"))) == "invalid_state"


def test_late_return_is_refused(town: Town, browser: Browser) -> None:
    """A visit that took too long is over, and is forgotten at the next one."""
    back = browser.consent(browser.depart("google"), browser.person.email)
    with town.running.cloud.database.writing() as session:
        for attempt in session.scalars(select(SignInAttempt)):
            attempt.asked_at = attempt.asked_at.replace(year=2025)
    assert error_of(browser.come_back(back)) == "invalid_state"
    browser.depart("google")
    with town.running.cloud.database.reading() as session:
        assert len(session.scalars(select(SignInAttempt)).all()) == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of-another-visit"},
        {"nonce": None},
        {"aud": "another-client"},
        {"aud": ["another-client"], "azp": "cloud"},
        {"iss": "https://evil.example.com"},
        {"exp": 1_700_000_000},
        {"sub": None},
    ],
    ids=str,
)
def test_wrong_claim_is_refused(town: Town, browser: Browser, claims: dict[str, Any]) -> None:
    """A token for another visit, another program, of another issuer or of long ago signs nobody in."""
    town.running.identity_provider.forged_claims = claims
    assert error_of(browser.sign_in("google")) == "sign_in_refused"
    assert browser.send("GET", "/account").status_code == 401
    assert town.arrived("/api/auth-event") == []


def test_forged_signature_is_refused(town: Town, browser: Browser) -> None:
    """A token that another key has signed signs nobody in."""
    town.running.identity_provider.forged_key = new_key()
    assert error_of(browser.sign_in("google")) == "sign_in_refused"


def test_new_key_is_fetched(town: Town, browser: Browser) -> None:
    """A provider may change its keys at any time."""
    assert browser.sign_in("google").status_code == 303
    town.running.identity_provider.rotate_key()
    assert browser.sign_in("google").status_code == 303


def test_refusal_at_provider(browser: Browser) -> None:
    """Who says no at the provider comes back to a clear answer."""
    back = browser.consent(browser.depart("google"), browser.person.email, decision="deny")
    assert error_of(browser.come_back(back)) == "sign_in_refused"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.example.com/",
        "//evil.example.com/",
        "/\\evil.example.com",
        "\\\\evil.example.com",
        "/\t/evil.example.com",
        "evil.example.com",
        "javascript:alert(1)",
        "/ok\r\nset-cookie: a=b",
        "",
    ],
)
def test_open_redirect_is_refused(browser: Browser, elsewhere: str) -> None:
    """Nobody is sent to another site after a sign-in."""
    answer = browser.send("GET", "/auth/with/google", params={"return_to": elsewhere})
    assert (answer.status_code, error_of(answer)) == (422, "invalid_request")


def test_options_name_providers(browser: Browser) -> None:
    """A sign-in page learns what it can offer."""
    assert browser.send("GET", "/auth/options").json()["providers"] == ["google", "github"]


def test_broken_provider_is_told(tmp_path: Path) -> None:
    """A provider that is down, or answers what nobody understands, is told as such, and signs nobody in."""
    with run_sink() as sink, bound_socket() as nobody:
        # Bound and not listening: connections are refused. The abuse service's stand-in answers no provider's question.
        down = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        broken = {"google_issuer": down, "github_api_url": sink.url}
        with (
            run_cloud(tmp_path, abuse_url=sink.url, **broken) as running,
            httpx.Client(base_url=running.url) as http,
            Browser(person=Person(http=http, email="ada@example.com")) as browser,
        ):
            answers = [browser.sign_in(provider) for provider in ("google", "github")]
            assert [answer.status_code for answer in answers] == [502, 502]
            assert {error_of(answer) for answer in answers} == {"provider_unavailable"}
            assert browser.send("GET", "/account").status_code == 401


@pytest.mark.parametrize("state", ["", "\0", "x" * 5_000, "\ud83d", "' OR 1=1"], ids=range(5))
def test_garbage_is_no_state(browser: Browser, state: str) -> None:
    """Whatever comes as an answer that was not asked for is refused."""
    query = urlencode({"state": state, "code": state}, errors="surrogatepass")
    answer = browser.send("GET", f"/auth/with/google/callback?{query}")
    assert (answer.status_code, error_of(answer)) == (400, "invalid_state")
