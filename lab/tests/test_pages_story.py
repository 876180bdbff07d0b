"""A person, an administrator and the two systems between them, from the first page to the last explanation."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest
from playwright.sync_api import Browser, Page, expect

from abuse_lab.desk import ServiceDesk
from abuse_lab.service_process import ServiceProcess
from cloud.running import RunningCloud, run_cloud
from cloud.testing.chromium import WAIT_MS, run_chromium

EMAIL = "grace@example.org"
SETTLE_SECONDS = 20


@pytest.fixture
def cloud(service: ServiceProcess, tmp_path: Path) -> Iterator[RunningCloud]:
    with run_cloud(tmp_path, abuse_url=service.url) as running:
        yield running


@pytest.fixture
def browser() -> Iterator[Browser]:
    with run_chromium() as running:
        yield running


def sign_in(browser: Browser, url: str, email: str) -> Page:
    page = browser.new_context(base_url=url).new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto("/sign-in")
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Send me a link").click()
    page.get_by_role("link", name="Read the letter here").click()
    page.get_by_role("link", name="Open the link").click()
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


def ask(client: openai.OpenAI) -> str:
    question: list[openai.types.chat.ChatCompletionMessageParam] = [{"role": "user", "content": "Hello"}]
    answer = client.chat.completions.create(model="open/swift-1", messages=question, max_tokens=20)
    return answer.choices[0].message.content or ""


def ask_page(page: Page) -> str:
    """Ask in the playground and return what the page says of the answer."""
    told = page.locator(".said")
    asked = told.count()
    page.get_by_label("Message").fill("Hello")
    page.get_by_role("button", name="Send").click()
    return told.nth(asked).inner_text()


def explain(service: ServiceProcess, *words: str) -> str:
    """Ask the service as its operator does."""
    command = [sys.executable, "-m", "abuse_service", *words, "--data", str(service.data)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def test_person_is_blocked_and_unblocked(browser: Browser, cloud: RunningCloud, service: ServiceProcess) -> None:
    """Sign up, chat, be blocked by an administrator, see the 403, be unblocked, chat: and the service explains it."""
    person = sign_in(browser, cloud.url, EMAIL)
    person.goto("/keys")
    person.get_by_role("button", name="Make a key").click()
    key = person.get_by_label("Key", exact=True).input_value()
    with openai.OpenAI(base_url=f"{cloud.url}/v1", api_key=key, max_retries=0) as client:
        assert ask(client)
        person.goto("/playground")
        person.get_by_label("Key").fill(key)
        assert ask_page(person) == "200, answered by open/swift-1"

        admin = sign_in(browser, cloud.url, cloud.admin_email)
        admin.goto("/backoffice")
        admin.get_by_label("Address or id").fill(EMAIL)
        admin.get_by_role("button", name="Find").click()
        admin.get_by_role("link", name=EMAIL).click()
        user_id = admin.url.rpartition("/")[2]
        admin.locator("#block-reason").fill("resold keys")
        admin.get_by_role("button", name="Block", exact=True).click()
        expect(admin.get_by_role("status")).to_have_text("The user is blocked.")
        cloud.cloud.reporting.flush(SETTLE_SECONDS)

        with pytest.raises(openai.PermissionDeniedError) as refused:
            ask(client)
        assert refused.value.code == "abuse_blocked"
        assert ask_page(person).startswith("403 abuse_blocked")

        admin.locator("#unblock-reason").fill("appeal accepted")
        admin.get_by_role("button", name="Unblock", exact=True).click()
        expect(admin.get_by_role("status")).to_have_text("The block is lifted.")
        cloud.cloud.reporting.flush(SETTLE_SECONDS)
        assert ask(client)
        assert ask_page(person) == "200, answered by open/swift-1"

    with ServiceDesk(service.url) as desk:
        decided = [desk.decision(line.request_id) for line in desk.identity(f"user:{user_id}").decisions]
    requests = sorted(
        (one for one in decided if one.event_type == "request.classified"), key=lambda one: one.request_id
    )
    verdicts = [one.verdict for one in requests]
    assert verdicts == ["ALLOW", "ALLOW", "HARD_BLOCK", "HARD_BLOCK", "ALLOW", "ALLOW"]
    for one in requests[2:5:2]:
        told = explain(service, "explain", str(one.request_id))
        assert one.verdict in told
        assert ("the cloud blocked this account" in told) == (one.verdict == "HARD_BLOCK")
    assert "resold keys" in explain(service, "identity", f"user:{user_id}", "--all")
    timeline = explain(service, "timeline", f"user:{user_id}")
    assert "user.blocked" in timeline
    assert "user.unblocked" in timeline

    # The page names each request by the same id, with what came of it.
    admin.reload()
    for one in requests:
        row = admin.locator(f"tr:has(td:last-child:text-is('{one.request_id}'))")
        expect(row).to_contain_text("answered" if one.verdict == "ALLOW" else "403")
        expect(row).to_contain_text(one.verdict)
