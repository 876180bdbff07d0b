"""One account's life: each method is a deed, written down as the cloud would report it."""

import random
from dataclasses import dataclass, field
from typing import Any

from abuse_lab.quality.calls import Account, Call, Endpoint, Fields
from abuse_lab.quality.cloud import Cloud
from abuse_lab.quality.models import Model, editor_prompt, task
from abuse_lab.quality.network import Connection
from abuse_lab.quality.person import People, Person

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


@dataclass(kw_only=True)
class Habits:
    """How one person's client asks."""

    editor: str | None = None
    system_prompt: str | None = None
    has_tools: bool = True
    is_streamed: bool = True
    max_tokens: int | None = None
    organization_id: str | None = None
    is_byok: bool = False


@dataclass(kw_only=True)
class Actor:
    """An account that does things, in any order of time."""

    account: Account
    person: Person
    home: Connection
    cloud: Cloud
    rng: random.Random
    people: People
    habits: Habits
    created_at_ms: int
    calls: list[Call]
    device_action: str = "ALLOW"
    is_authentic: bool = True
    is_bot: bool = False
    turned_at_ms: int = 0
    memberships: list[Fields] = field(default_factory=list)
    total_microdollars: int = 0
    has_customer: bool = False
    is_blocked: bool = False
    _is_checked: bool | None = None
    _signup: Connection | None = None

    # the account

    def sign_up(self, at_ms: int, connection: Connection | None = None, *, has_grant: bool = True) -> None:
        """Create the account; the cloud gives newcomers what this world's cloud gives."""
        self.created_at_ms = at_ms
        self._signup = connection or self.home
        self._auth(at_ms, "signup", self._signup)
        if has_grant and self.cloud.grant_microdollars:
            self.acquire(at_ms + 2_000, self.cloud.grant_microdollars, is_free=True)

    def sign_in(self, at_ms: int, connection: Connection | None = None) -> None:
        """Sign in again."""
        self._auth(at_ms, "signin", connection or self.home)

    def join(self, at_ms: int, organization: Fields, *, is_founder: bool = False) -> None:
        """Become a member of an organization, or found it."""
        said = {"role": "owner" if is_founder else "member", **organization}
        events = [self.cloud.event("org.created", self.person, **said)] if is_founder else []
        self._events(at_ms, *events, self.cloud.event("org.member_added", self.person, **said))
        self.memberships.append(said)

    def leave(self, at_ms: int, organization_id: str) -> None:
        """Leave an organization."""
        self.memberships = [said for said in self.memberships if said["organization_id"] != organization_id]
        self._events(at_ms, self.cloud.event("org.member_removed", self.person, organization_id=organization_id))

    def block(self, at_ms: int, reason: str, actor_email: str | None = None) -> None:
        """The cloud blocks the account."""
        self.is_blocked = True
        self._events(at_ms, self.cloud.event("user.blocked", self.person, reason=reason, actor_email=actor_email))

    def unblock(self, at_ms: int, reason: str, actor_email: str) -> None:
        """The cloud lifts the block."""
        self.is_blocked = False
        self._events(at_ms, self.cloud.event("user.unblocked", self.person, reason=reason, actor_email=actor_email))

    def stop_device_check(self) -> None:
        """Keep the device check from ending, as an ad-blocker does."""
        self._is_checked = False

    # money

    def acquire(self, at_ms: int, microdollars: int, *, is_free: bool) -> None:
        """Get credits."""
        self.total_microdollars += microdollars
        event = self.cloud.purchase(self.person, microdollars, self.total_microdollars, is_free=is_free)
        self._events(at_ms, event)

    def attach(self, at_ms: int, card: str | None = None) -> str:
        """Attach a card; its payment method's id."""
        method = f"pm_{self.people.token(14)}"
        self.has_customer = True
        content = self._method(method, card)
        self._events(at_ms, self.cloud.stripe("stripe.payment_method.attached", at_ms, self.person, content))
        return method

    def detach(self, at_ms: int, method: str, card: str | None = None) -> None:
        """Detach it again; a cloud of today does not send that."""
        if self.cloud.is_rich:
            content = self._method(method, card)
            self._events(at_ms, self.cloud.stripe("stripe.payment_method.detached", at_ms, self.person, content))

    def decline(self, at_ms: int, code: str | None, cents: int, card: str | None = None) -> None:
        """A charge that fails."""
        self.has_customer = True
        content = self._charge(cents, card) | {"decline_code": code, "failure_code": "card_declined"}
        content["outcome"] = {"type": "issuer_declined", "reason": code}
        self._events(at_ms, self.cloud.stripe("stripe.charge.failed", at_ms, self.person, content))

    def pay(self, at_ms: int, cents: int, card: str | None = None) -> Fields:
        """Buy credits; the charge, for what may follow."""
        self.has_customer = True
        charge = self._charge(cents, card)
        intent = {
            "id": charge["payment_intent"],
            "object": "payment_intent",
            "customer": self.person.customer,
            "amount": cents,
            "currency": "usd",
            "latest_charge": charge["id"],
            "payment_method": f"pm_{self.people.token(14)}",
        }
        self._events(at_ms, self.cloud.stripe("stripe.payment_intent.succeeded", at_ms, self.person, intent))
        self.acquire(at_ms + 3_000, cents * 10_000, is_free=False)
        return charge

    def subscribe(self, at_ms: int, tier: str, status: str = "active", streak: int = 1) -> None:
        """Take a pass, or change it."""
        event = self.cloud.event(
            "billing.kilo_pass_changed", self.person, tier=tier, status=status, streak_months=streak
        )
        self._events(at_ms, event)

    def dispute(self, at_ms: int, charge: Fields, reason: str = "fraudulent") -> None:
        """The card's owner takes the money back."""
        content = {
            "id": f"dp_{self.people.token(14)}",
            "object": "dispute",
            "charge": charge["id"],
            "payment_intent": charge["payment_intent"],
            "amount": charge["amount"],
            "reason": reason,
        }
        self._events(at_ms, self.cloud.stripe("stripe.charge.dispute.created", at_ms, self.person, content))

    def warn(self, at_ms: int, charge: Fields) -> None:
        """The card's issuer reports fraud."""
        content = {
            "id": f"issfr_{self.people.token(14)}",
            "object": "radar.early_fraud_warning",
            "charge": charge["id"],
            "payment_intent": charge["payment_intent"],
            "fraud_type": self.rng.choice(("made_with_stolen_card", "unauthorized_use_of_card", "misc")),
            "actionable": True,
        }
        self._events(at_ms, self.cloud.stripe("stripe.radar.early_fraud_warning.created", at_ms, self.person, content))

    # requests

    def ask(
        self,
        at_ms: int,
        model: Model,
        *,
        tokens: tuple[int, int] | None = None,
        connection: Connection | None = None,
        prompt: str | None = None,
        fails: bool = False,
    ) -> None:
        """Ask a model once."""
        rng, habits = self.rng, self.habits
        size_in, size_out = tokens or (int(rng.lognormvariate(9.0, 0.8)), int(rng.lognormvariate(6.0, 0.8)))
        seconds = 1.0 if fails else min(240.0, 1.5 + size_out / rng.uniform(40, 120))
        usage = model.usage(0 if fails else size_in, 0 if fails else size_out, seconds, is_byok=habits.is_byok)
        said: dict[str, Any] = {
            "organization_id": habits.organization_id,
            "user_prompt": prompt or task(rng),
            "system_prompt": habits.system_prompt,
            "max_tokens": habits.max_tokens,
            "has_tools": habits.has_tools,
            "streamed": habits.is_streamed,
            "editor": habits.editor,
        }
        fields = self.cloud.question(self.person, connection or self.home, usage, said, model.provider)
        self.calls.append(
            Call(
                at_ms=at_ms,
                endpoint=Endpoint.CLASSIFY,
                account=self.account,
                fields=fields,
                usage=usage,
                is_abuse=self._is_abuse(at_ms),
            )
        )

    def use_editor(self, editor: str, *, max_tokens: int | None = None) -> None:
        """Ask as a coding tool does: tools offered, the editor named, its long system prompt."""
        self.habits = Habits(
            editor=editor,
            system_prompt=editor_prompt(self.rng, editor),
            max_tokens=max_tokens,
            organization_id=self.habits.organization_id,
            is_byok=self.habits.is_byok,
        )

    # inside

    def _auth(self, at_ms: int, event_type: str, connection: Connection) -> None:
        if self._is_checked is None:
            self._is_checked = self.rng.random() < self.cloud.device_checked_share
        signup = self._signup or self.home
        said = {
            "created_at_ms": self.created_at_ms,
            "signup_ip": signup.ip,
            "signup_country": signup.place.country,
            "signup_ja4": signup.ja4,
            "memberships": list(self.memberships),
            "is_bot": self.is_bot,
            "is_blocked": self.is_blocked,
            "is_checked": self._is_checked,
            "device_action": self.device_action,
            "is_authentic": self.is_authentic,
            "has_customer": self.has_customer,
        }
        fields = self.cloud.auth(self.person, event_type, connection, said)
        self._add(at_ms, Endpoint.AUTH, fields)

    def _events(self, at_ms: int, *events: Fields) -> None:
        self._add(at_ms, Endpoint.EVENTS, {"events": list(events)})

    def _add(self, at_ms: int, endpoint: Endpoint, fields: Fields) -> None:
        call = Call(at_ms=at_ms, endpoint=endpoint, account=self.account, fields=fields, is_abuse=self._is_abuse(at_ms))
        self.calls.append(call)

    def _is_abuse(self, at_ms: int) -> bool:
        return self.account.is_abusive and at_ms >= self.turned_at_ms

    def _method(self, method: str, card: str | None) -> Fields:
        return {
            "id": method,
            "object": "payment_method",
            "customer": self.person.customer,
            "card": {"fingerprint": card or self.person.card, "brand": "visa", "funding": "credit", "country": "US"},
        }

    def _charge(self, cents: int, card: str | None) -> Fields:
        return {
            "id": f"ch_{self.people.token(14)}",
            "object": "charge",
            "customer": self.person.customer,
            "payment_intent": f"pi_{self.people.token(14)}",
            "amount": cents,
            "currency": "usd",
            "payment_method_details": {"card": {"fingerprint": card or self.person.card}},
        }
