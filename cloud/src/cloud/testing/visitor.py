"""Somebody who looks at pages, without a browser: keeps cookies, goes where he is sent, says what browsers say."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from cloud.story.person import Person

WAIT_SECONDS = 30


class Visitor:
    """A window on the site."""

    def __init__(self, http: httpx.Client) -> None:
        self.http = http

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.http.get(path, **more)

    def post(self, path: str, form: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        """Send a form of one of the site's pages."""
        return self.http.post(path, data=form or {}, **more)

    def sign_in(self, email: str, return_to: str = "/dashboard") -> httpx.Response:
        """Ask for a letter and press the button behind its link; return the page that one comes to."""
        self.post("/sign-in", {"email": email, "return_to": return_to}).raise_for_status()
        with httpx.Client(base_url=self.http.base_url, timeout=WAIT_SECONDS) as http:
            token = Person(http=http, email=email).letter_token(email)
        return self.post("/sign-in/confirm", {"token": token})


@contextmanager
def open_window(url: str) -> Iterator[Visitor]:
    """Open a window on the site at the address."""
    headers = {"accept": "text/html", "sec-fetch-site": "same-origin"}
    with httpx.Client(base_url=url, headers=headers, timeout=WAIT_SECONDS, follow_redirects=True) as http:
        yield Visitor(http)
