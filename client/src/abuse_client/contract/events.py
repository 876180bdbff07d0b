"""``POST /api/events``: batches of the 17 typed business events. Source: CONTRACT, section "events".

Each class below is one event with its wire ``type``. A type that this version does not know is an `UnknownEvent` and
is kept whole.
"""

from typing import Annotated, Any, Union, get_args

from msgspec import Meta

from abuse_client.contract.fields import Count, EpochMs, EventId, Id, Json, Microdollars, Text, UserText
from abuse_client.contract.wire import Wire

MAX_BATCH_EVENTS = 10_000
"""The most events that one envelope may hold; above it the service answers 413."""

UserId = Annotated[str, Meta(min_length=1, max_length=1024, description="The user whom the event is about.")]


class UserEventData(Wire, frozen=True, kw_only=True):
    """Who was blocked or unblocked, why and by whom."""

    kilo_user_id: UserId
    reason: Annotated[Text | None, Meta(description="Why; tells an automatic decision from a person's.")] = None
    actor_email: Annotated[Text | None, Meta(description="The person who did it. Personal.")] = None


class UserDeletedData(Wire, frozen=True, kw_only=True):
    """Whose account was deleted."""

    kilo_user_id: UserId


class UserEmailChangedData(Wire, frozen=True, kw_only=True):
    """Whose address changed, from what to what."""

    kilo_user_id: UserId
    email: Annotated[str, Meta(min_length=1, max_length=1024, description="The new address. Personal.")]
    previous_email: Annotated[Text | None, Meta(description="The address before. Personal.")] = None


class OrgEventData(Wire, frozen=True, kw_only=True):
    """A user and an organization, with what holds between them."""

    kilo_user_id: UserId
    organization_id: Annotated[Id, Meta(description="The organization.")]
    role: Annotated[Text | None, Meta(description="The user's role, as it was before a removal.")] = None
    plan: Annotated[Text | None, Meta(description="The organization's plan.")] = None
    has_sso: Annotated[bool | None, Meta(description="Whether the organization signs in by SSO.")] = None
    in_free_trial: Annotated[bool | None, Meta(description="Whether the organization is in its free trial.")] = None


class BillingCreditPurchasedData(Wire, frozen=True, kw_only=True):
    """Credits that a user got, by payment or by grant."""

    kilo_user_id: UserId
    microdollars_acquired: Annotated[Microdollars, Meta(description="Credits acquired now, microdollars.")]
    total_microdollars_acquired: Annotated[
        Microdollars | None, Meta(description="Lifetime total after it, microdollars.")
    ] = None
    is_free: Annotated[bool | None, Meta(description="True for a grant that nobody paid for. Added by us.")] = None
    organization_id: Annotated[Text | None, Meta(description="The organization that got them. Added by us.")] = None


class BillingKiloPassChangedData(Wire, frozen=True, kw_only=True):
    """The state of a user's monthly pass after a change."""

    kilo_user_id: UserId
    tier: Annotated[Text | None, Meta(description="Tier, an open set (`tier_19`, `tier_49`, …).")] = None
    status: Annotated[Text | None, Meta(description="Stripe's status (`active`, `past_due`, `canceled`, …).")] = None
    streak_months: Annotated[Count | None, Meta(description="Months paid in a row; 0 after a reset.")] = None


class StripeEventData(Wire, frozen=True, kw_only=True):
    """A slice of a Stripe webhook event, passed through: whole (``data.object``) or flat. Nothing is required."""

    id: Annotated[Text | None, Meta(description="The webhook event's id, `evt_…`.")] = None
    type: Annotated[Text | None, Meta(description="The webhook event's type.")] = None
    customer: Annotated[Json, Meta(description="Id of the customer, an object with `id`, or null.")] = None
    data: Annotated[dict[str, Any] | None, Meta(description="`object` and `previous_attributes`, whole.")] = None
    decline_code: Annotated[Text | None, Meta(description="The issuer's reason.")] = None
    amount: Annotated[float | None, Meta(description="Minor units of `currency`.")] = None
    kilo_user_id: Annotated[UserText | None, Meta(description="The owner, when the cloud knows him. Added by us.")] = (
        None
    )
    organization_id: Annotated[Text | None, Meta(description="The owning organization. Added by us.")] = None


class CloudEvent(Wire, frozen=True, kw_only=True, tag_field="type"):
    """What every event of a batch carries beside its data."""

    occurred_at: Annotated[
        EpochMs | None, Meta(description="When it happened, epoch milliseconds; absent: receipt.")
    ] = None
    event_id: Annotated[EventId | None, Meta(description="The sender's own id: a repeat counts once.")] = None


class UserBlocked(CloudEvent, frozen=True, kw_only=True, tag="user.blocked"):
    """The cloud blocked a user."""

    data: UserEventData


class UserUnblocked(CloudEvent, frozen=True, kw_only=True, tag="user.unblocked"):
    """The cloud lifted its block."""

    data: UserEventData


class UserDeleted(CloudEvent, frozen=True, kw_only=True, tag="user.deleted"):
    """The account was deleted."""

    data: UserDeletedData


class UserEmailChanged(CloudEvent, frozen=True, kw_only=True, tag="user.email_changed"):
    """The account's address changed."""

    data: UserEmailChangedData


class OrgMemberAdded(CloudEvent, frozen=True, kw_only=True, tag="org.member_added"):
    """A user became a member."""

    data: OrgEventData


class OrgMemberRemoved(CloudEvent, frozen=True, kw_only=True, tag="org.member_removed"):
    """A user ceased to be a member."""

    data: OrgEventData


class OrgCreated(CloudEvent, frozen=True, kw_only=True, tag="org.created"):
    """An organization came to be; the user is its owner."""

    data: OrgEventData


class OrgDeleted(CloudEvent, frozen=True, kw_only=True, tag="org.deleted"):
    """An organization ended, and with it every membership."""

    data: OrgEventData


class BillingCreditPurchased(CloudEvent, frozen=True, kw_only=True, tag="billing.credit_purchased"):
    """Credits were bought or granted."""

    data: BillingCreditPurchasedData


class BillingKiloPassChanged(CloudEvent, frozen=True, kw_only=True, tag="billing.kilo_pass_changed"):
    """Tier, status or streak of the pass changed."""

    data: BillingKiloPassChangedData


class StripePaymentMethodAttached(CloudEvent, frozen=True, kw_only=True, tag="stripe.payment_method.attached"):
    """A payment method was attached to a customer."""

    data: StripeEventData


class StripePaymentMethodDetached(CloudEvent, frozen=True, kw_only=True, tag="stripe.payment_method.detached"):
    """A payment method was detached; the owner stands in ``previous_attributes``."""

    data: StripeEventData


class StripeDisputeCreated(CloudEvent, frozen=True, kw_only=True, tag="stripe.charge.dispute.created"):
    """A card holder disputed a charge."""

    data: StripeEventData


class StripeDisputeFundsWithdrawn(CloudEvent, frozen=True, kw_only=True, tag="stripe.charge.dispute.funds_withdrawn"):
    """Stripe withdrew a disputed amount."""

    data: StripeEventData


class StripeEarlyFraudWarning(CloudEvent, frozen=True, kw_only=True, tag="stripe.radar.early_fraud_warning.created"):
    """A card network warned of fraud."""

    data: StripeEventData


class StripeChargeFailed(CloudEvent, frozen=True, kw_only=True, tag="stripe.charge.failed"):
    """A charge was declined."""

    data: StripeEventData


class StripePaymentSucceeded(CloudEvent, frozen=True, kw_only=True, tag="stripe.payment_intent.succeeded"):
    """A payment went through."""

    data: StripeEventData


class UnknownEvent(Wire, frozen=True, kw_only=True):
    """An event of a type that this version does not know, kept whole."""

    type: Annotated[str, Meta(min_length=1, max_length=1024, description="Any type.")]
    occurred_at: Annotated[EpochMs | None, Meta(description="Epoch milliseconds; absent: receipt.")] = None
    event_id: Annotated[EventId | None, Meta(description="The sender's own id.")] = None
    data: Annotated[Json, Meta(description="Whatever came.")] = None


KnownEvent = Union[  # noqa: UP007 - spelled so that msgspec and get_args read it alike
    UserBlocked,
    UserUnblocked,
    UserDeleted,
    UserEmailChanged,
    OrgMemberAdded,
    OrgMemberRemoved,
    OrgCreated,
    OrgDeleted,
    BillingCreditPurchased,
    BillingKiloPassChanged,
    StripePaymentMethodAttached,
    StripePaymentMethodDetached,
    StripeDisputeCreated,
    StripeDisputeFundsWithdrawn,
    StripeEarlyFraudWarning,
    StripeChargeFailed,
    StripePaymentSucceeded,
]

AnyEvent = KnownEvent | UnknownEvent

EVENT_CLASSES: dict[str, type[CloudEvent]] = {kind.__struct_config__.tag: kind for kind in get_args(KnownEvent)}
"""The 17 types in the contract's order, each with its class."""


class EventsBatch(Wire, frozen=True, kw_only=True):
    """The envelope: one to a few hundred events, `MAX_BATCH_EVENTS` at most."""

    events: Annotated[list[AnyEvent], Meta(description="The events, in any order.")]


class RejectedEvent(Wire, frozen=True, kw_only=True):
    """Why one event of a batch was not taken. It is kept in quarantine."""

    index: Annotated[int, Meta(description="Its place in the batch, from 0.")]
    path: Annotated[str, Meta(description="The place in the event, such as `data.email`.")]
    message: Annotated[str, Meta(description="What was found and what was expected.")]


class EventsAnswer(Wire, frozen=True, kw_only=True):
    """The answer of ``/api/events``, status 202."""

    accepted: Annotated[int, Meta(description="Events that are now durable and counted.")]
    duplicates: Annotated[int, Meta(description="Events that were known already and changed nothing.")]
    unknown_types: Annotated[list[str], Meta(description="Unknown types met, sorted.")]
    rejected: Annotated[list[RejectedEvent], Meta(description="Events that were not taken, with the reason.")]
    conflicts: Annotated[int, Meta(description="Duplicates whose content differs from the first copy's.")]
