"""Made-up events as a cloud sends them: all 17 types, a few thousand users, most with a time or an id of their own."""

import json
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

Json = dict[str, Any]
DAY_MS = 86_400_000

_SHARES = {
    "stripe.payment_intent.succeeded": 14,
    "billing.credit_purchased": 18,
    "stripe.payment_method.attached": 12,
    "stripe.payment_method.detached": 4,
    "stripe.charge.failed": 6,
    "billing.kilo_pass_changed": 10,
    "org.member_added": 9,
    "org.member_removed": 4,
    "org.created": 3,
    "org.deleted": 1,
    "user.email_changed": 4,
    "user.blocked": 5,
    "user.unblocked": 3,
    "user.deleted": 2,
    "stripe.radar.early_fraud_warning.created": 2,
    "stripe.charge.dispute.created": 2,
    "stripe.charge.dispute.funds_withdrawn": 1,
}
"""How many of a hundred events are of each type."""


class Mixture:
    """Endless events about some users, made-up ones where their number is given. No two seeds share bytes."""

    def __init__(self, seed: int, users: int | Sequence[str]) -> None:
        self._random = random.Random(seed)
        self._users = [self._id() for _ in range(users)] if isinstance(users, int) else users
        self._customers = [f"cus_{self._letters(14)}" for _ in self._users]
        self._now_ms = time.time_ns() // 1_000_000

    def batches(self, number: int, events: int) -> Iterator[bytes]:
        """So many envelopes of so many events each."""
        kinds, weights = list(_SHARES), list(_SHARES.values())
        for _ in range(number):
            chosen = self._random.choices(kinds, weights, k=events)
            yield json.dumps({"events": [self.event(kind) for kind in chosen]}, separators=(",", ":")).encode()

    def event(self, kind: str) -> Json:
        """One event of a type, about one of the users."""
        index = self._random.randrange(len(self._users))
        if kind.startswith("stripe."):
            return self._stripe(kind, index)
        event: Json = {"type": kind, "data": self._data(kind, self._users[index])}
        # Three of four senders stamp their events; some of them give an id instead, the others give nothing.
        dice = self._random.random()
        if dice < 0.75:
            event["occurred_at"] = self._past_ms()
        elif dice < 0.9:
            event["event_id"] = self._id()
        return event

    def _data(self, kind: str, user: str) -> Json:
        rng = self._random
        if kind.startswith("org."):
            # 2000 organizations, so that members meet in them.
            organization = str(UUID(int=rng.randrange(2000), version=4))
            return {"kilo_user_id": user, "organization_id": organization, "role": rng.choice(("owner", "member"))}
        if kind == "user.deleted":
            # An account that nothing else is told of: who is deleted once does nothing more.
            return {"kilo_user_id": self._id()}
        if kind == "user.email_changed":
            name = self._letters(10)
            return {"kilo_user_id": user, "email": f"{name}@example.com", "previous_email": f"{name}.old@example.org"}
        if kind.startswith("user."):
            return {"kilo_user_id": user, "reason": f"case {self._letters(6)}", "actor_email": "ops@example.com"}
        if kind == "billing.credit_purchased":
            return {"kilo_user_id": user, "microdollars_acquired": rng.randrange(1, 50) * 1_000_000}
        status = rng.choice(("active", "past_due", "canceled"))
        return {"kilo_user_id": user, "tier": "tier_19", "status": status, "streak_months": rng.randrange(24)}

    def _stripe(self, kind: str, index: int) -> Json:
        happened_ms = self._past_ms()
        subject, previous = self._subject(kind, self._customers[index])
        content: Json = {"object": subject} | ({"previous_attributes": previous} if previous else {})
        webhook = {
            "id": f"evt_{self._letters(24)}",
            "object": "event",
            "type": kind.removeprefix("stripe."),
            "created": happened_ms // 1000,
            "data": content,
            "kilo_user_id": self._users[index],
        }
        return {"type": kind, "occurred_at": happened_ms, "data": webhook}

    def _subject(self, kind: str, customer: str) -> tuple[Json, Json | None]:
        cents, charge, intent = self._random.randrange(500, 20_000), self._stripe_id("ch"), self._stripe_id("pi")
        if ".payment_method." in kind:
            card = {"brand": "visa", "country": "US", "last4": "4242", "fingerprint": self._letters(16)}
            method = {"id": self._stripe_id("pm"), "object": "payment_method", "type": "card", "card": card}
            gone = kind.endswith("detached")
            return method | {"customer": None if gone else customer}, {"customer": customer} if gone else None
        if kind.endswith("payment_intent.succeeded"):
            paid = {"amount": cents, "currency": "usd", "latest_charge": charge, "status": "succeeded"}
            return {"id": intent, "object": "payment_intent", "customer": customer} | paid, None
        if kind.endswith("charge.failed"):
            failed = {"amount": cents, "currency": "usd", "failure_code": "card_declined", "status": "failed"}
            outcome = {"outcome": {"reason": "insufficient_funds", "risk_score": self._random.randrange(100)}}
            return {
                "id": charge,
                "object": "charge",
                "customer": customer,
                "payment_intent": intent,
            } | failed | outcome, None
        named: Json = {"charge": charge, "payment_intent": intent, "amount": cents, "currency": "usd"}
        prefix = "issfr" if "fraud_warning" in kind else "dp"
        return {"id": self._stripe_id(prefix), "reason": "fraudulent", "status": "needs_response"} | named, None

    def _past_ms(self) -> int:
        return self._now_ms - self._random.randrange(DAY_MS)

    def _stripe_id(self, prefix: str) -> str:
        return f"{prefix}_{self._letters(24)}"

    def _letters(self, number: int) -> str:
        return f"{self._random.getrandbits(number * 4):0{number}x}"

    def _id(self) -> str:
        return str(UUID(int=self._random.getrandbits(128), version=4))
