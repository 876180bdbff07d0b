"""Somebody at a browser: everything he does is a request to the cloud."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx

from abuse_client.integrations.openai import usage_of
from cloud.gateway.catalogue import CATALOGUE
from cloud.local.stripe.cards import is_sound

WEBHOOK_SECONDS = 20
FREE_MODEL = "open/swift-1"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass(kw_only=True)
class Person:
    """One person with an address, a device and a connection; signed in after `come_in`."""

    http: httpx.Client
    email: str
    role: str = "honest"
    ip_address: str = "192.0.2.10"
    city: str = "Lisbon"
    country: str = "PT"
    ja4_digest: str = "t13d1516h2_8daaf6152771_02713d6af862"
    user_agent: str = BROWSER
    fingerprint: str | None = None
    is_automated: bool = False
    """Whether a program drives the browser, as a device check sees it."""
    kilo_user_id: str = ""
    session_token: str = ""
    deeds: list[str] = field(default_factory=list)
    spent_microdollars: int = 0

    def headers(self) -> dict[str, str]:
        """Return what the edge in front of the cloud adds to this person's requests."""
        told = {
            "x-forwarded-for": self.ip_address,
            "user-agent": self.user_agent,
            "x-vercel-ip-city": self.city,
            "x-vercel-ip-country": self.country,
            "x-vercel-ja4-digest": self.ja4_digest,
            "authorization": f"Bearer {self.session_token}" if self.session_token else None,
        }
        return {name: value for name, value in told.items() if value is not None}

    def send(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Make a request, whatever comes of it."""
        headers = self.headers() | more.pop("headers", {})
        # People share a pool of connections and nobody's cookies: the token alone tells who asks.
        self.http.cookies.clear()
        return self.http.request(method, path, headers=headers, **more)

    def do(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Make a request that must succeed."""
        response = self.send(method, path, **more)
        if not response.is_success:
            raise RuntimeError(f"{method} {path}: found {response.status_code} {response.text}, expected success")
        return response

    def letter_token(self, recipient: str) -> str:
        """Return the token of the link in the newest letter to the recipient."""
        link: str = self.do("GET", "/outbox", params={"recipient": recipient}).json()["link"]
        return parse_qs(urlsplit(link).query)["token"][0]

    def show_device(self) -> str | None:
        """Let the device check look at this browser, as the sign-in page's script does, and return its telemetry id."""
        check = self.do("GET", "/auth/options").json()["device_check"]
        if self.fingerprint is None or check is None:
            return None
        device = {
            "public_token": check["public_token"],
            "hardware_fingerprint": self.fingerprint,
            "is_automated": self.is_automated,
        }
        shown = self.http.post(check["submit_url"], json=device).raise_for_status().json()
        return str(shown["telemetry_id"])

    def try_to_come_in(self, customer_source: str | None = None) -> httpx.Response:
        """Ask for a sign-in letter and follow its link, whatever comes of it."""
        self.do("POST", "/auth/email-link", json={"email": self.email, "customer_source": customer_source})
        form = {"token": self.letter_token(self.email), "telemetry_id": self.show_device()}
        return self.send("POST", "/auth/email-link/confirm", data={k: v for k, v in form.items() if v is not None})

    def come_in(self, customer_source: str | None = None) -> "Person":
        """Sign up or in by a letter."""
        entry = self.try_to_come_in(customer_source).raise_for_status().json()
        self.kilo_user_id, self.session_token = entry["kilo_user_id"], entry["session_token"]
        self.deeds.append("signed up" if entry["event_type"] == "signup" else "signed in")
        return self

    def settle_in(self, customer_source: str | None = None) -> "Person":
        """Sign up, and sign in once more: a device is checked from the second time on."""
        self.come_in(customer_source)
        self.session_token = self.try_to_come_in().raise_for_status().json()["session_token"]
        return self

    @property
    def card_number(self) -> str:
        """Return the number of the person's own card, which nobody else has."""
        digits = f"4{int(sha256(self.email.encode()).hexdigest(), 16) % 10**14:014d}"
        return next(number for number in (f"{digits}{last}" for last in range(10)) if is_sound(number))

    def pay(self, page: dict[str, Any], card_number: str | None = None) -> httpx.Response:
        """Fill in the payment page that the cloud opened, and wait until what came of it has been told to the cloud."""
        url = page["checkout_url"]
        answer = self.http.post(url, data={"card_number": card_number or self.card_number})
        self.http.get(urljoin(url, "/local/webhooks"), params={"wait_seconds": WEBHOOK_SECONDS})
        return answer

    def chat(
        self, *, model: str = FREE_MODEL, prompt: str = "Explain this function.", max_tokens: int = 64, **more: Any
    ) -> httpx.Response:
        """Ask the gateway, whatever comes of it, and remember what the answer cost."""
        headers = more.pop("headers", {})
        messages = [{"role": "user", "content": prompt}]
        body = {"model": model, "messages": messages, "max_tokens": max_tokens} | more
        response = self.send("POST", "/v1/chat/completions", json=body, headers=headers)
        if response.is_success and not body.get("stream"):
            self.spent_microdollars += cost_microdollars(response.json())
        return response


def cost_microdollars(answer: dict[str, Any]) -> int:
    """Return what the answer cost at the provider, by the model that answered, which may not be the one asked."""
    usage = usage_of(answer)
    served = next(model for model in CATALOGUE.values() if model.upstream_name == answer["model"])
    return served.price(served.name, usage) if usage else 0
