"""One call in the view that Stripe posts to.

```python
webhooks = StripeWebhooks(client, secret=STRIPE_WEBHOOK_SECRET, owner_of=find_owner)

try:
    notice = webhooks.take(request.body, request.headers.get("Stripe-Signature"))
except InvalidWebhook:
    return 400
```
"""

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import stripe

from abuse_client import events
from abuse_client.contract import CloudEvent
from abuse_client.integrations.reports import GivenEvent, Reports

log: logging.Logger = logging.getLogger("abuse_client.stripe")

FORWARDED: dict[str, Callable[..., CloudEvent]] = {
    "payment_method.attached": events.stripe_payment_method_attached,
    "payment_method.detached": events.stripe_payment_method_detached,
    "charge.dispute.created": events.stripe_charge_dispute_created,
    "charge.dispute.funds_withdrawn": events.stripe_charge_dispute_funds_withdrawn,
    "radar.early_fraud_warning.created": events.stripe_radar_early_fraud_warning_created,
    "charge.failed": events.stripe_charge_failed,
    "payment_intent.succeeded": events.stripe_payment_intent_succeeded,
}
"""The seven types of Stripe that the abuse service wants, each with the constructor of its event."""

REMEMBERED_IDS = 10_000
_MAX_EVENT_ID_LENGTH = 64
_NAMED_BY_OBJECT = ("payment_intent", "charge", "latest_charge", "payment_method", "invoice", "subscription", "id")


class InvalidWebhook(ValueError):
    """The body is no event that Stripe signed, lately, with our secret; answer 400."""


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Whose Stripe event it is."""

    kilo_user_id: str | None = None
    organization_id: str | None = None


class StripeNotice(msgspec.Struct, frozen=True, kw_only=True):
    """A verified webhook event, as the JSON that came."""

    id: str
    type: str
    created: int
    """Epoch seconds."""
    event: dict[str, Any]

    @property
    def subject(self) -> dict[str, Any]:
        """The Stripe object that the event is about."""
        return _object(_object(self.event.get("data")).get("object"))

    @property
    def metadata(self) -> dict[str, Any]:
        """What the product wrote on the object."""
        return _object(self.subject.get("metadata"))

    def named_ids(self) -> list[str]:
        """Every id by which the owner may be known, the surest first: of the customer, the payment, the charge, …

        A detached payment method has its customer in what it was before; a dispute and a fraud warning name none.
        """
        before = _object(_object(self.event.get("data")).get("previous_attributes"))
        named = [self.subject.get("customer"), before.get("customer")]
        named += [self.subject.get(name) for name in _NAMED_BY_OBJECT]
        ids = [found.get("id") if isinstance(found, dict) else found for found in named]
        return list(dict.fromkeys(found for found in ids if isinstance(found, str) and found))


OwnerOf = Callable[[StripeNotice], Owner | str | None]


def owner_in_metadata(notice: StripeNotice) -> Owner:
    """The owner that the product wrote into the object's metadata, as ``kilo_user_id`` and ``organization_id``."""
    user, organization = notice.metadata.get("kilo_user_id"), notice.metadata.get("organization_id")
    return Owner(kilo_user_id=_text(user), organization_id=_text(organization))


class StripeWebhooks:
    """Verifies webhook events and reports the seven types that the service wants, with their owner added.

    ``owner_of`` looks an event up in the product's own tables; it returns the user's id, an `Owner`, or nothing, and
    when it fails the event is reported without one. ``secret`` may be several, while one replaces the other. An event
    that Stripe delivers again is not reported again.
    """

    def __init__(
        self,
        client: Reports,
        *,
        secret: str | Iterable[str],
        owner_of: OwnerOf = owner_in_metadata,
        tolerance_s: int = 300,
    ) -> None:
        self._client = client
        self._secrets = [secret] if isinstance(secret, str) else list(secret)
        self._owner_of = owner_of
        self._tolerance_s = tolerance_s
        self._taken: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def take(
        self, body: bytes, signature: str | None, *, report: Callable[[GivenEvent], None] | None = None
    ) -> StripeNotice:
        """Verify a webhook's body by its ``Stripe-Signature`` header, report it, and return it for the product's use.

        ``report`` takes the event in place of the client, for reports that leave after a commit. It gets a repeat too,
        since the first may have been rolled back; the service counts an event of Stripe once. Raises `InvalidWebhook`.
        """
        self._verify(body, signature)
        notice = _read(body)
        construct = FORWARDED.get(notice.type)
        if construct is not None and (report is not None or self._is_first(notice.id)):
            owner = self._owner(notice)
            event = construct(
                notice.event,
                kilo_user_id=owner.kilo_user_id,
                organization_id=owner.organization_id,
                occurred_at=notice.created * 1000,
                # Stripe's own id, so that the service counts it once whichever process took it.
                event_id=notice.id if len(notice.id) <= _MAX_EVENT_ID_LENGTH else None,
            )
            (report or self._client.report_event)(event)
        return notice

    def _verify(self, body: bytes, signature: str | None) -> None:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise InvalidWebhook("found a body that is no text, expected JSON") from None
        for secret in self._secrets:
            try:
                stripe.WebhookSignature.verify_header(text, signature or "", secret, self._tolerance_s)
            except stripe.SignatureVerificationError:
                continue
            return
        raise InvalidWebhook("found no valid signature in the header Stripe-Signature")

    def _owner(self, notice: StripeNotice) -> Owner:
        try:
            owner = self._owner_of(notice)
        except Exception:
            log.exception("the owner of stripe event %s could not be looked up, so it is reported without", notice.id)
            return Owner()
        return Owner(kilo_user_id=owner) if isinstance(owner, str) else owner or Owner()

    def _is_first(self, event_id: str) -> bool:
        with self._lock:
            is_first = event_id not in self._taken
            self._taken[event_id] = None
            self._taken.move_to_end(event_id)
            if len(self._taken) > REMEMBERED_IDS:
                self._taken.popitem(last=False)
            return is_first


def _read(body: bytes) -> StripeNotice:
    try:
        event = json.loads(body)
        # The library's own object reshapes what it wraps; what is reported is the event as it came.
        return StripeNotice(id=str(event["id"]), type=str(event["type"]), created=int(event["created"]), event=event)
    except (KeyError, ValueError, TypeError, OverflowError, RecursionError):
        raise InvalidWebhook("found a body without id, type or created, expected an event of Stripe") from None


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
