"""A browser of its own: keeps cookies, goes where it is sent, fills in the forms that it finds."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx

from cloud.story.person import Person

REQUEST_SECONDS = 30.0


class HiddenFields(HTMLParser):
    """The hidden fields of a page's form."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "input" and given.get("type") == "hidden":
            self.found[given["name"] or ""] = given.get("value") or ""


@dataclass(kw_only=True)
class Browser:
    """A person's browser at the cloud; what its edge adds comes from the person."""

    person: Person
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(base_url=self.person.http.base_url, timeout=REQUEST_SECONDS)

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()

    def send(self, method: str, url: str, **more: Any) -> httpx.Response:
        """Make a request with the browser's cookies, whatever comes of it, and follow nothing."""
        own = {name: value for name, value in self.person.headers().items() if name != "authorization"}
        # What browsers say of a request that a page of the same site makes.
        headers = own | {"sec-fetch-site": "same-origin"} | more.pop("headers", {})
        sent = {name: value for name, value in headers.items() if value is not None}
        return self.client.request(method, url, headers=sent, **more)

    def depart(self, provider: str, **wish: str) -> httpx.Response:
        """Follow the page's link to a provider and return the provider's sign-in page."""
        return self.follow(self.send("GET", f"/auth/with/{provider}", params=wish))

    def depart_to_sign_on(self, email: str, **wish: str) -> httpx.Response:
        """Begin an enterprise's sign-on with an address of its domain."""
        return self.follow(self.send("GET", "/auth/sign-on", params={"email": email, **wish}))

    def depart_to_link(self, provider: str) -> httpx.Response:
        """Press the account page's button that links a provider."""
        return self.follow(self.send("POST", f"/account/providers/{provider}"))

    def follow(self, answer: httpx.Response) -> httpx.Response:
        """Go to another site as the answer says, or stay with what is no redirection."""
        return self.client.get(answer.headers["location"]) if answer.has_redirect_location else answer

    def consent(self, page: httpx.Response, email: str, **said: str) -> str:
        """Say who one is on the provider's page and return the address that it sends the browser back to."""
        form = HiddenFields(page.text).found | {"email": email, "is_verified": "true"} | said
        answer = self.client.post(page.url, data=form)
        return str(urljoin(str(page.url), answer.headers["location"]))

    def come_back(self, address: str) -> httpx.Response:
        """Go back to the cloud."""
        parts = urlsplit(address)
        return self.send("GET", f"{parts.path}?{parts.query}", headers={"sec-fetch-site": "cross-site"})

    def sign_in(self, provider: str, email: str | None = None, wish: dict[str, str] | None = None, **said: str) -> Any:
        """Sign in by a provider, all the way, whatever comes of it."""
        page = self.depart(provider, **(wish or {}))
        return self.come_back(self.consent(page, email or self.person.email, **said)) if page.is_success else page

    def sign_on(self, email: str, **said: str) -> httpx.Response:
        """Sign in by the enterprise's sign-on, all the way, whatever comes of it."""
        page = self.depart_to_sign_on(email)
        return self.come_back(self.consent(page, email, **said)) if page.is_success else page

    def link(self, provider: str, email: str | None = None, **said: str) -> httpx.Response:
        """Link a provider, all the way, whatever comes of it."""
        page = self.depart_to_link(provider)
        return self.come_back(self.consent(page, email or self.person.email, **said)) if page.is_success else page
