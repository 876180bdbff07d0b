"""Credits, passes and seats."""

from typing import Any

from cloud.story.deeds import buy
from cloud.story.person import Person
from cloud.testing.flows.flow import Flows, Ready
from cloud.testing.flows.organizations import found, make_member
from cloud.testing.stripe_desk import paid_invoice, payment_intent, subscription
from cloud.testing.town import Town

FLOWS = Flows()
TOP_UP = {"threshold_cents": 2_000, "amount_cents": 1_500}


def customer_of(person: Person) -> str:
    """Return the person's customer at Stripe."""
    return str(person.do("POST", "/billing/customer").json()["stripe_customer_id"])


def webhook(town: Town, kind: str, subject: Any, previous: Any = None) -> Any:
    """Return the act of Stripe's telling, at the cloud's own time."""
    created = int(town.running.cloud.clock().timestamp())
    return lambda: town.desk.post(kind, subject, previous, created=created)


@FLOWS.shows(("billing.credit_purchased", "top-up", "stripe_webhooks.actions.take_payment"))
def pay_for_credits(town: Town) -> Ready:
    user = town.resident()
    intent = payment_intent(customer_of(user), 1_900, user.kilo_user_id)
    return Ready(
        act=webhook(town, "payment_intent.succeeded", intent),
        names={"user": user.kilo_user_id, "customer": intent["customer"], "intent": intent["id"]},
    )


@FLOWS.shows(("billing.credit_purchased", "automatic top-up", "stripe_webhooks.actions.take_payment"))
def be_topped_up(town: Town) -> Ready:
    user = town.resident()
    buy(user, 1_000)
    return Ready(act=lambda: user.send("PUT", "/billing/auto-top-up", json=TOP_UP), names={"user": user.kilo_user_id})


@FLOWS.shows(("billing.credit_purchased", "organization top-up", "stripe_webhooks.actions.take_payment"))
def pay_for_an_organization(town: Town) -> Ready:
    user = town.resident()
    organization = found(user)
    intent = payment_intent(customer_of(user), 5_000, user.kilo_user_id)
    intent["metadata"]["organization_id"] = organization
    return Ready(
        act=webhook(town, "payment_intent.succeeded", intent),
        names={"user": user.kilo_user_id, "organization": organization, "intent": intent["id"]},
    )


@FLOWS.shows(
    ("billing.credit_purchased", "pass credits", "stripe_webhooks.actions.take_invoice"),
    ("billing.kilo_pass_changed", "streak change at the paid invoice", "stripe_webhooks.actions.take_invoice"),
)
def pay_for_a_month(town: Town) -> Ready:
    user = town.resident()
    customer = customer_of(user)
    webhook(town, "customer.subscription.created", subscription(customer, "tier_49"))().raise_for_status()
    return Ready(
        act=webhook(town, "invoice.paid", paid_invoice(customer, "tier_49", 4_900)), names={"user": user.kilo_user_id}
    )


@FLOWS.shows(("billing.credit_purchased", "promotional grant", "billing.promotions.redeem"))
def redeem(town: Town) -> Ready:
    user, code = town.resident(), town.new_word()
    town.admin.do("POST", "/admin/promo-codes", json={"code": code, "microdollars": 2_000_000, "reason": "fair"})
    return Ready(
        act=lambda: user.send("POST", "/billing/codes", json={"code": code}), names={"user": user.kilo_user_id}
    )


@FLOWS.shows(("billing.credit_purchased", "admin grant", "billing.service.grant_credits"))
def grant(town: Town) -> Ready:
    user = town.resident()
    path, wish = f"/admin/users/{user.kilo_user_id}/credits", {"microdollars": 3_000_000, "note": "sorry"}
    return Ready(act=lambda: town.admin.send("POST", path, json=wish), names={"user": user.kilo_user_id})


@FLOWS.shows(("billing.kilo_pass_changed", "subscription created", "stripe_webhooks.actions.take_subscription"))
def begin_a_pass(town: Town) -> Ready:
    user = town.resident()
    begun = subscription(customer_of(user), "tier_199")
    return Ready(act=webhook(town, "customer.subscription.created", begun), names={"user": user.kilo_user_id})


@FLOWS.shows(("billing.kilo_pass_changed", "subscription updated", "stripe_webhooks.actions.take_subscription"))
def fall_behind(town: Town) -> Ready:
    user = town.resident()
    begun = subscription(customer_of(user), "tier_19")
    webhook(town, "customer.subscription.created", begun)().raise_for_status()
    late = begun | {"status": "past_due"}
    return Ready(act=webhook(town, "customer.subscription.updated", late), names={"user": user.kilo_user_id})


@FLOWS.shows(("billing.kilo_pass_changed", "subscription deleted", "stripe_webhooks.actions.take_subscription"))
def end_a_pass(town: Town) -> Ready:
    user = town.resident()
    begun = subscription(customer_of(user), "tier_19")
    webhook(town, "customer.subscription.created", begun)().raise_for_status()
    paid = paid_invoice(begun["customer"], "tier_19", 1_900)
    webhook(town, "invoice.paid", paid)().raise_for_status()
    over = begun | {"status": "canceled"}
    return Ready(act=webhook(town, "customer.subscription.deleted", over), names={"user": user.kilo_user_id})


@FLOWS.shows(("org.member_added", "seat purchase re-adding the owner", "organizations.founding.set_seats"))
def buy_seats_after_leaving(town: Town) -> Ready:
    user, other = town.resident(), town.resident()
    organization = found(user)
    make_member(town, organization, other, "owner")
    user.do("POST", f"/organizations/{organization}/leave")
    named = {"purpose": "seats", "kilo_user_id": user.kilo_user_id, "organization_id": organization}
    bought = subscription(customer_of(user), "seats") | {"metadata": named}
    bought["items"]["data"][0]["quantity"] = 3
    return Ready(
        act=webhook(town, "customer.subscription.created", bought),
        names={"user": user.kilo_user_id, "organization": organization},
    )
