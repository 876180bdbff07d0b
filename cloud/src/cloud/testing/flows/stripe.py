"""Stripe's webhooks, which are forwarded."""

from cloud.story.person import Person
from cloud.testing.flows.billing import customer_of, webhook
from cloud.testing.flows.flow import Flows, Ready
from cloud.testing.stripe_desk import Json, dispute, failed_charge, fraud_warning, payment_intent, payment_method
from cloud.testing.town import Town

FLOWS = Flows()
FORWARD = "stripe_webhooks.forwarding.forward"


def paid(town: Town, user: Person) -> Json:
    """Return a payment of the user's that the cloud has heard of."""
    intent = payment_intent(customer_of(user), 2_000, user.kilo_user_id)
    webhook(town, "payment_intent.succeeded", intent)().raise_for_status()
    return intent


def names_of(user: Person, subject: Json) -> dict[str, str]:
    named = {"user": user.kilo_user_id, "object": subject["id"], "customer": subject.get("customer")}
    told = {"charge": subject.get("charge"), "intent": subject.get("payment_intent")}
    return {word: value for word, value in (named | told).items() if value}


@FLOWS.shows(("stripe.payment_method.attached", "webhook", FORWARD))
def attach_a_card(town: Town) -> Ready:
    user = town.resident()
    card = payment_method(customer_of(user), f"fp_{town.new_word()}")
    names = names_of(user, card) | {"card": card["card"]["fingerprint"]}
    return Ready(act=webhook(town, "payment_method.attached", card), names=names)


@FLOWS.shows(("stripe.payment_method.detached", "webhook", FORWARD))
def detach_a_card(town: Town) -> Ready:
    user = town.resident()
    card, customer = payment_method(None, f"fp_{town.new_word()}"), customer_of(user)
    names = names_of(user, card) | {"card": card["card"]["fingerprint"], "customer": customer}
    return Ready(act=webhook(town, "payment_method.detached", card, {"customer": customer}), names=names)


@FLOWS.shows(("stripe.charge.dispute.created", "webhook", FORWARD))
def be_disputed(town: Town) -> Ready:
    user = town.resident()
    claim = dispute(paid(town, user), "fraudulent")
    return Ready(act=webhook(town, "charge.dispute.created", claim), names=names_of(user, claim))


@FLOWS.shows(("stripe.charge.dispute.funds_withdrawn", "webhook", FORWARD))
def lose_the_funds(town: Town) -> Ready:
    user = town.resident()
    claim = dispute(paid(town, user), "fraudulent")
    return Ready(act=webhook(town, "charge.dispute.funds_withdrawn", claim), names=names_of(user, claim))


@FLOWS.shows(("stripe.radar.early_fraud_warning.created", "webhook", FORWARD))
def be_warned_about(town: Town) -> Ready:
    user = town.resident()
    warning = fraud_warning(paid(town, user))
    return Ready(act=webhook(town, "radar.early_fraud_warning.created", warning), names=names_of(user, warning))


@FLOWS.shows(("stripe.charge.failed", "webhook", FORWARD))
def be_declined(town: Town) -> Ready:
    user = town.resident()
    charge = failed_charge(customer_of(user), "stolen_card")
    return Ready(act=webhook(town, "charge.failed", charge), names=names_of(user, charge))


@FLOWS.shows(("stripe.payment_intent.succeeded", "webhook", FORWARD))
def succeed(town: Town) -> Ready:
    user = town.resident()
    # The payment of a pass's invoice: it carries none of our metadata, and books nothing.
    intent = payment_intent(customer_of(user), 1_900, user.kilo_user_id) | {"metadata": {}}
    names = names_of(user, intent) | {"charge": intent["latest_charge"]}
    return Ready(act=webhook(town, "payment_intent.succeeded", intent), names=names)
