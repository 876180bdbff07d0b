"""A real browser for tests: Debian's Chromium, another one on the path, or Playwright's own."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Playwright, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
WAIT_MS = 20_000
QUIET = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    # CI runs as root in a container, where the sandbox cannot be had; the pages are our own.
    "--no-sandbox",
    "--disable-dev-shm-usage",
)
MISSING = "no browser is found, so that no page was tested: `apt-get install chromium`, or name one in CHROMIUM"


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """Run a browser until the context ends; where there is none, skip the test, and fail it on CI.

    While it runs, its thread can run no other event loop: keep it as short as a test module.
    """
    # A busy machine is slow, and no page is wrong for it.
    expect.set_options(timeout=WAIT_MS)
    with sync_playwright() as playwright:
        executable = find_chromium(playwright)
        if executable is None:
            if os.environ.get("CI"):
                pytest.fail(MISSING)
            pytest.skip(MISSING)
        browser = playwright.chromium.launch(executable_path=executable, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


def find_chromium(playwright: Playwright) -> str | None:
    named = os.environ.get("CHROMIUM")
    found = named or next(filter(None, map(shutil.which, NAMES)), None)
    own = playwright.chromium.executable_path
    return found or (own if Path(own).exists() else None)
