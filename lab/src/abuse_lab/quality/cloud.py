"""How a cloud writes down what happened. `Profile.TODAY` sends as little as the contract says today's cloud does.

Within a profile clouds still differ by seed: whether the edge tells JA4 digests and coordinates, whether a device
check runs, how dates are spelled, what a newcomer is given.
"""

import enum
import random
from datetime import UTC, datetime
from typing import Any

from abuse_lab.quality.calls import Fields, Usage
from abuse_lab.quality.network import Connection
from abuse_lab.quality.person import Person


class Profile(enum.StrEnum):
    """How much a cloud tells, and how its gateway obeys: today's only by the resolved action, a rich one by all."""

    TODAY = "today"
    RICH = "rich"


class Cloud:
    """One world's cloud."""

    def __init__(self, profile: Profile, rng: random.Random, ids: random.Random) -> None:
        self.profile = profile
        self.is_rich = profile is Profile.RICH
        draws = [rng.random() for _ in range(8)]
        self.grant_microdollars = rng.choice((0, 0, 1_000_000, 5_000_000))
        self.names_ja4 = self.is_rich or draws[0] < 0.8
        self.names_coordinates = self.is_rich or draws[1] < 0.5
        self.names_city = self.is_rich or draws[2] < 0.8
        self.names_editor = self.is_rich or draws[3] < 0.8
        # Off in half of today's worlds; elsewhere some browsers still stop it.
        self.device_checked_share = 0.9 if self.is_rich else (0.0 if draws[4] < 0.5 else 0.75)
        self.spells_like_database = draws[5] < 0.5
        self.names_visitors = draws[6] < 0.5
        self._ids = ids

    def auth(self, person: Person, event_type: str, connection: Connection, said: dict[str, Any]) -> Fields:
        """A sign-up or a sign-in. ``said`` is what the cloud knows beside the person and the connection."""
        fields: Fields = {
            "kilo_user_id": person.user_id,
            "event_type": event_type,
            "email": person.email,
            "account_created_at": self._date(said["created_at_ms"]),
            "auth_method": person.providers[0],
            "auth_providers": list(person.providers),
            "hosted_domain": _hosted_domain(person),
            "signup_ip": said["signup_ip"],
            "signup_geo_country": said["signup_country"],
            "is_bot": said.get("is_bot", False),
            "is_admin": False,
            "is_blocked": said.get("is_blocked", False),
            "org_memberships": said["memberships"],
            "has_validation_stytch": None,
            **self._network(connection),
        }
        is_checked = said["is_checked"] and (self.is_rich or event_type == "signin")
        if is_checked:
            fields |= {
                "has_validation_stytch": said["device_action"] == "ALLOW",
                "stytch_verdict_action": said["device_action"],
                "stytch_is_authentic_device": said["is_authentic"],
                "stytch_device_type": "KNOWN_DEVICE" if event_type == "signin" else "NEW_DEVICE",
                "stytch_hardware_fingerprint": person.device,
            }
        if self.is_rich:
            fields |= {"signup_ja4_digest": said["signup_ja4"], "cohorts": [], "event_id": self._id("auth")}
            if said.get("has_customer"):
                fields["stripe_customer_id"] = person.customer
        return fields

    def question(
        self, person: Person, connection: Connection, usage: Usage, said: dict[str, Any], provider: str
    ) -> Fields:
        """A request that waits for its classification."""
        fields: Fields = {
            "kilo_user_id": person.user_id or None,
            "organization_id": said.get("organization_id"),
            "project_id": None,
            "provider": provider,
            "requested_model": usage.model.lower(),
            "user_prompt": said["user_prompt"],
            "system_prompt": said["system_prompt"],
            "max_tokens": said["max_tokens"],
            "has_middle_out_transform": False,
            "has_tools": said["has_tools"],
            "streamed": said["streamed"],
            "is_user_byok": usage.is_byok,
            "editor_name": said["editor"] if self.names_editor else None,
            **self._network(connection),
        }
        if self.names_coordinates:
            fields |= {"geo_latitude": connection.place.latitude, "geo_longitude": connection.place.longitude}
        if self.is_rich:
            fields |= {"feature": "chat_completions", "is_byok": usage.is_byok, "event_id": self._id("ask")}
        return fields

    def cost(self, question: Fields, usage: Usage, cost: int, request_id: int, number: int, *, is_free: bool) -> Fields:
        """The report that follows a proxied request."""
        fields: Fields = {
            "request_id": request_id,
            "message_id": f"gen-{number}",
            "cost": cost,
            "requested_model": "auto-free" if is_free else usage.model.lower(),
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
        }
        same = ("kilo_user_id", "ip_address", "ja4_digest", "user_agent")
        return fields | {name: question[name] for name in same if name in question}

    def event(self, name: str, person: Person, **said: Any) -> Fields:
        """An event about a user; today's has neither id nor time."""
        event: Fields = {"type": name, "data": {"kilo_user_id": person.user_id, **said}}
        if self.is_rich:
            event["event_id"] = self._id("ev")
        return event

    def purchase(self, person: Person, microdollars: int, total: int, *, is_free: bool) -> Fields:
        """Credits acquired; only a rich cloud says the total and whether somebody paid."""
        more = {"total_microdollars_acquired": total, "is_free": is_free} if self.is_rich else {}
        return self.event("billing.credit_purchased", person, microdollars_acquired=microdollars, **more)

    def stripe(self, name: str, at_ms: int, person: Person, content: Fields) -> Fields:
        """A Stripe webhook passed on. Today's is a flat slice, of payment methods no more than id, type, customer."""
        webhook: Fields = {"id": f"evt_{self._ids.getrandbits(80):020x}", "type": name.removeprefix("stripe.")}
        second = at_ms // 1000 * 1000
        if self.is_rich:
            data = {**webhook, "data": {"object": content}, "kilo_user_id": person.user_id}
        elif ".payment_method." in name:
            data = webhook | {"customer": person.customer}
        else:
            kept = ("customer", "charge", "payment_intent", "decline_code", "reason", "fraud_type", "latest_charge")
            slim = {field: content[field] for field in kept if content.get(field) is not None}
            if "dispute" not in name and "amount" in content:
                slim["amount"] = content["amount"]
            data = webhook | slim | {"kilo_user_id": person.user_id}
        return {"type": name, "occurred_at": second, "data": data}

    def _network(self, connection: Connection) -> Fields:
        fields: Fields = {
            "ip_address": connection.ip,
            "geo_country": connection.place.country,
            "user_agent": connection.agent,
        }
        if self.names_city:
            fields["geo_city"] = connection.place.city
        if self.names_ja4:
            fields["ja4_digest"] = connection.ja4
        return fields

    def _date(self, at_ms: int) -> str:
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        if self.spells_like_database:
            return f"{at:%Y-%m-%d %H:%M:%S}.{at_ms % 1000:03d}+00"
        return f"{at:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"

    def _id(self, kind: str) -> str:
        return f"{kind}-{self._ids.getrandbits(96):024x}"


def _hosted_domain(person: Person) -> str | None:
    if person.providers[0] == "github":
        return "@@github@@"
    domain = person.email.rpartition("@")[2]
    return domain if person.providers[0] == "google" and domain != "gmail.com" else None
