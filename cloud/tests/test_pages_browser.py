"""The pages in a real browser: usable by everybody, on any screen, and closed to what others would run in them."""

import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from cloud.running import run_server
from cloud.testing import Town, classification_of
from cloud.testing.chromium import WAIT_MS, run_chromium

SCREENSHOTS = os.environ.get("SCREENSHOTS")
"""A folder for a picture of each page; without it none is taken."""
HOSTILE = "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
PHONE, DESK = {"width": 360, "height": 740}, {"width": 1200, "height": 800}
names = count(1)

OPEN_PAGES = ("/", "/sign-in", "/nowhere")
OWN_PAGES = ("/dashboard", "/playground", "/keys", "/credits", "/teams", "/profile", "/welcome", "/billing/thanks")
OFFICE_PAGES = ("/backoffice", "/backoffice/bulk", "/backoffice/domains", "/backoffice/log")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with run_chromium() as running:
        yield running


@pytest.fixture
def open_page(browser: Browser, town: Town) -> Iterator[Callable[..., Page]]:
    """Opens a window of a browser that nobody used before; an error in a script fails the test."""
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_one(**wish: Any) -> Page:
        context = browser.new_context(base_url=town.running.url, **wish)
        context.set_default_timeout(WAIT_MS)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield open_one
    for context in contexts:
        context.close()
    assert errors == []


def sign_in(page: Page, email: str) -> Page:
    """Ask for a letter, read it on this machine, and follow its link."""
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Send me a link").click()
    page.get_by_role("link", name="Read the letter here").click()
    page.get_by_role("link", name="Open the link").click()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


def new_email() -> str:
    return f"visitor-{next(names)}@example.com"


def look_at(page: Page, path: str, name: str) -> None:
    """Go to the page, take its picture, and hold it against the rules of accessibility and its own width."""
    page.goto(path)
    check(page, name)


def check(page: Page, name: str) -> None:
    if SCREENSHOTS:
        page.screenshot(path=str(Path(SCREENSHOTS) / f"{name}.png"), full_page=True)
    found = Axe().run(page).response["violations"]
    told = [f"{one['id']}: {one['help']}: {[node['target'] for node in one['nodes']]}" for one in found]
    assert told == [], f"{page.url} ({name})"
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], f"{page.url} ({name}) is wider than the screen"  # type: ignore[index]


@pytest.mark.parametrize(("scheme", "size"), [("light", PHONE), ("dark", DESK)], ids=["phone", "desk"])
def test_pages_are_accessible(open_page: Callable[..., Page], town: Town, scheme: str, size: dict[str, int]) -> None:
    """Every page, light on a phone and dark on a desk, breaks no rule of axe and fits its screen."""
    mark = f"{scheme}-{size['width']}"
    page = open_page(color_scheme=scheme, viewport=size)
    for path in OPEN_PAGES:
        look_at(page, path, f"{mark}{path.replace('/', '-')}")
    sign_in(page, town.running.admin_email)
    user = town.resident()
    user.chat()
    page.goto("/playground")
    page.get_by_label("Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_text("200, answered by open/swift-1")).to_be_visible()
    check(page, f"{mark}-talk")
    page.goto("/keys")
    page.get_by_role("button", name="Make a key").click()
    check(page, f"{mark}-new-key")
    page.goto("/teams")
    page.get_by_label("Name").fill("Analytical engines")
    page.get_by_role("button", name="Found it").click()
    check(page, f"{mark}-team")
    for path in (*OWN_PAGES, *OFFICE_PAGES, f"/backoffice/users/{user.kilo_user_id}"):
        look_at(page, path, f"{mark}{path.replace('/', '-')}")


def test_another_page_acts_in_nobodys_name(open_page: Callable[..., Page], town: Town) -> None:
    """A page of another origin that sends a form as the signed-in administrator changes nothing, on this site or none.

    Another port is the same site, so that the browser does send the cookie along: only the origin tells.
    """
    user = town.resident()
    action = f"{town.running.url}/backoffice/users/{user.kilo_user_id}/block"
    attack = FastAPI(title="attack")
    form = f'<form method="post" action="{action}"><input name="reason" value="forged"><button>Win</button></form>'
    attack.add_api_route("/", lambda: HTMLResponse(form), response_model=None)
    page = sign_in(open_page(), town.running.admin_email)
    with run_server(attack) as address:
        for site in (address, address.replace("127.0.0.1", "localhost")):
            page.goto(site)
            page.get_by_role("button", name="Win").click()
            expect(page.get_by_text("a request that another site's page has sent")).to_be_visible()
    assert user.chat().status_code == 200
    assert town.events("user.blocked") == []


def test_hostile_names_run_nothing(open_page: Callable[..., Page], town: Town) -> None:
    """A team and a question that are markup are shown as text, and the policy would stop what they hold."""
    page = sign_in(open_page(), new_email())
    page.goto("/teams")
    page.get_by_label("Name").fill(HOSTILE)
    page.get_by_role("button", name="Found it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    page.goto("/playground")
    page.get_by_label("Message").fill(HOSTILE)
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".asked")).to_have_text(HOSTILE)
    assert "owned" not in page.title()
    page.goto("/")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"document.title=1\">')")
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'document.title=2'}))")
    page.wait_for_load_state("networkidle")
    assert page.title().startswith("Models at one address")


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"verdict": "HARD_BLOCK", "action": "block"}, "403 abuse_blocked"),
        ({"verdict": "SOFT_BLOCK", "action": "rate-limit", "retry_after_seconds": 7}, "try again in 7 s"),
        ({"verdict": "CHALLENGE", "action": "log", "challenge_type": "turnstile"}, "asked for: turnstile"),
    ],
    ids=["block", "rate-limit", "challenge"],
)
def test_playground_tells_why(open_page: Callable[..., Page], town: Town, answer: dict[str, Any], told: str) -> None:
    """What the abuse service makes the gateway refuse is told in the playground, with its reason."""
    page = sign_in(open_page(), new_email())
    town.sink.classification = classification_of(**answer)
    page.goto("/playground")
    page.get_by_label("Message").fill("Hello")
    page.keyboard.press("Enter")
    expect(page.locator(".refused")).to_contain_text(told)


def test_playground_tells_of_a_broken_stream(open_page: Callable[..., Page]) -> None:
    """An answer that breaks off in its middle is told as such, and the next question is asked without it."""
    page = sign_in(open_page(), new_email())
    page.goto("/playground")

    def cut(route: Route) -> None:
        route.continue_(post_data={**route.request.post_data_json, "fault": "cut"})

    page.route("**/v1/chat/completions", cut, times=1)
    for _ in range(2):
        page.get_by_label("Message").fill("Hello")
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_role("button", name="Send")).to_be_enabled()
    expect(page.locator(".refused .said")).to_contain_text("upstream_cut")
    expect(page.locator(".answered .said")).to_have_text("200, answered by open/swift-1")


def test_credits_are_bought(open_page: Callable[..., Page], town: Town) -> None:
    """A person pays on the payment page, declined at first, and the credits are on the page when he is back."""
    page = sign_in(open_page(), new_email())
    page.goto("/credits")
    page.get_by_label("Amount in dollars").fill("25")
    page.get_by_role("button", name="Pay", exact=True).click()
    page.get_by_label("Card number").fill("4000000000009995")
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("alert")).to_contain_text("insufficient")
    page.get_by_label("Card number").fill("4242424242424242")
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Thank you")
    town.settle()
    page.get_by_role("link", name="See your credits").click()
    expect(page.locator(".price").first).to_have_text("$25.00")


def test_provider_signs_in_and_links(open_page: Callable[..., Page], town: Town) -> None:
    """Google signs a person up, GitHub is linked from the profile, and taken away again."""
    email = new_email()
    page = open_page()
    page.goto("/sign-in")
    page.get_by_role("link", name="Google").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Dashboard")
    page.goto("/profile")
    page.get_by_role("button", name="Link GitHub").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{town.running.url}/profile")
    page.get_by_role("button", name="Unlink GitHub").click()
    expect(page.get_by_role("status")).to_have_text("It is unlinked.")
    expect(page.get_by_role("button", name="Link GitHub")).to_be_visible()


def test_keyboard_is_enough(open_page: Callable[..., Page]) -> None:
    """The first key press offers a way past the navigation, and a form is filled in and sent without a mouse."""
    page = open_page()
    page.goto("/sign-in")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("E-mail address")).to_be_focused()
    page.keyboard.type(new_email())
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mail")


def test_browser_is_shown_to_the_device_check(open_page: Callable[..., Page], town: Town) -> None:
    """From the second sign-in on the auth event tells what the check saw, by a letter and by a provider alike."""
    email = new_email()
    page = open_page()
    for _ in range(2):
        sign_in(page, email)
        page.get_by_role("button", name="Sign out").click()
    page.goto("/sign-in")
    page.locator("a[href*=telemetry_id]").get_by_text("Google").click()
    page.get_by_label("E-mail").fill(email)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    entries = [body for body in town.arrived("/api/auth-event") if body["email"] == email]
    assert [body["event_type"] for body in entries] == ["signup", "signin", "signin"]
    shown = [body.get("stytch_hardware_fingerprint") for body in entries]
    assert shown[0] is None
    assert str(shown[1]).startswith("hw-")
    assert shown[1] == shown[2]
    assert entries[1]["stytch_is_authentic_device"] is False  # a program drives this browser
