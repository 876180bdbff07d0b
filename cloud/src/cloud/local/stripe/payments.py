"""Payments: cards are saved and charged, charges are refunded, disputed, warned about."""

from typing import Any

from cloud.local.stripe import shapes
from cloud.local.stripe.account import Account, new_id
from cloud.local.stripe.cards import CODES, TOKENS, Card, read_card
from cloud.local.stripe.faults import Fault, invalid

Json = dict[str, Any]

TOLD = {
    "insufficient_funds": "Your card has insufficient funds.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}


def take_card(account: Account, number: str) -> Json:
    """Return a new payment method for the card of that number."""
    card = read_card(number)
    method = account.add(shapes.payment_method(account.now, card))
    account.cards[method["id"]] = card
    return method


def find_method(account: Account, method_id: str) -> Json:
    """Return the payment method; a documented test token stands for a new one."""
    if method_id in TOKENS:
        return take_card(account, TOKENS[method_id])
    return account.find("payment_method", method_id)


def attach(account: Account, method: Json, customer_id: str) -> Json:
    """Save the payment method with the customer."""
    card = account.cards[method["id"]]
    account.find("customer", customer_id)
    if card.decline_code is not None:
        raise declined(card, card.decline_code)
    if method["customer"] not in (None, customer_id):
        raise invalid("The payment method you provided has already been attached to a customer.")
    if method["customer"] is None:
        method["customer"] = customer_id
        account.tell("payment_method.attached", method)
    return method


def detach(account: Account, method: Json) -> Json:
    """Take the payment method from its customer, for good."""
    if method["customer"] is None:
        raise invalid("The payment method you provided is not attached to a customer so detachment is impossible.")
    previous, method["customer"] = method["customer"], None
    account.tell("payment_method.detached", method, {"customer": previous})
    return method


def confirm(account: Account, intent: Json, method: Json, *, is_off_session: bool) -> Json:
    """Charge the card for the payment, or raise its decline; both are told by events."""
    if intent["status"] not in {"requires_payment_method", "requires_confirmation"}:
        raise invalid(
            f"This PaymentIntent's status is {intent['status']}, so it cannot be confirmed.",
            code="payment_intent_unexpected_state",
            payment_intent=intent,
        )
    if is_off_session and method["customer"] != intent["customer"]:
        raise invalid("The PaymentMethod does not belong to the Customer.", param="payment_method")
    card = account.cards[method["id"]]
    charged = account.add(shapes.charge(account.now, intent, method))
    intent["latest_charge"] = charged["id"]
    decline = card.decline(is_off_session=is_off_session)
    if decline is not None:
        fail(account, intent, charged, card, decline, method)
    charged["outcome"] = outcome("authorized", None, "approved_by_network", card)
    intent |= {
        "amount_received": intent["amount"],
        "last_payment_error": None,
        "payment_method": method["id"],
        "status": "succeeded",
    }
    if intent["setup_future_usage"] == "off_session" and intent["customer"]:
        attach(account, method, intent["customer"])
    account.tell("charge.succeeded", charged)
    account.tell("payment_intent.succeeded", intent)
    if card.fraud_type is not None:
        warn(account, charged, card.fraud_type)
    if card.dispute_reason is not None:
        open_dispute(account, charged, card.dispute_reason)
    return intent


def fail(account: Account, intent: Json, charged: Json, card: Card, decline: str, method: Json) -> None:
    """Tell that the charge failed, and raise it."""
    fault = declined(card, decline, charge=charged["id"])
    error = fault.body["error"]
    kind, reason = ("blocked", "highest_risk_level") if card.is_blocked_by_radar else ("issuer_declined", decline)
    network = "not_sent_to_network" if card.is_blocked_by_radar else "declined_by_network"
    charged |= {
        "amount_captured": 0,
        "balance_transaction": None,
        "captured": False,
        "failure_code": error["code"],
        "failure_message": error["message"],
        "outcome": outcome(kind, reason, network, card),
        "paid": False,
        "status": "failed",
    }
    intent |= {"last_payment_error": error | {"payment_method": method}, "status": "requires_payment_method"}
    account.tell("charge.failed", charged)
    account.tell("payment_intent.payment_failed", intent)
    error["payment_intent"] = intent
    raise fault


def declined(card: Card, decline: str, **more: Any) -> Fault:
    code = decline if decline in CODES else "card_declined"
    return Fault(
        402,
        "card_error",
        TOLD.get(decline, "Your card was declined."),
        code=code,
        decline_code=decline,
        **more,
    )


def outcome(kind: str, reason: str | None, network_status: str, card: Card) -> Json:
    level = "highest" if card.is_blocked_by_radar else "normal"
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": network_status,
        "reason": reason,
        "risk_level": level,
        "risk_score": 92 if card.is_blocked_by_radar else 12,
        "seller_message": "Payment complete." if reason is None else f"The payment was declined: {reason}.",
        "type": kind,
    }


def refund(account: Account, charged: Json, amount: int | None, **fields: Any) -> Json:
    """Pay the charge back, wholly or in part; never more than was paid."""
    left = charged["amount_captured"] - charged["amount_refunded"]
    if charged["disputed"]:
        raise invalid(f"Charge {charged['id']} has been charged back; cannot issue a refund.", code="charge_disputed")
    if left == 0:
        raise invalid(f"Charge {charged['id']} has already been refunded.", code="charge_already_refunded")
    wanted = left if amount is None else amount
    if not 0 < wanted <= left:
        raise invalid(f"Refund amount ({wanted}) is greater than unrefunded amount on charge ({left})", param="amount")
    made = account.add(shapes.refund(account.now, charged, wanted, **fields))
    before = {"amount_refunded": charged["amount_refunded"], "refunded": charged["refunded"]}
    charged["amount_refunded"] += wanted
    charged["refunded"] = charged["amount_refunded"] == charged["amount_captured"]
    account.tell("refund.created", made)
    account.tell("charge.refunded", charged, before)
    return made


def open_dispute(account: Account, charged: Json, reason: str) -> Json:
    """Let the card's holder dispute the charge; the money is withdrawn at once."""
    if charged["disputed"]:
        raise invalid(f"Charge {charged['id']} is disputed already.", code="charge_disputed")
    made = account.add(shapes.dispute(account.now, charged, reason))
    charged["disputed"] = True
    account.tell("charge.dispute.created", made)
    account.tell("charge.dispute.funds_withdrawn", made)
    return made


def close_dispute(account: Account, found: Json) -> Json:
    """Accept the dispute: the money stays withdrawn."""
    if found["status"] in {"won", "lost"}:
        raise invalid("This dispute is already closed", code="dispute_already_closed")
    previous, found["status"] = found["status"], "lost"
    account.tell("charge.dispute.closed", found, {"status": previous})
    return found


def warn(account: Account, charged: Json, fraud_type: str) -> Json:
    """Let the card's network warn that the charge may be fraud."""
    made = account.add(shapes.early_fraud_warning(account.now, charged, fraud_type))
    account.tell("radar.early_fraud_warning.created", made)
    return made


def new_intent(account: Account, amount: int, currency: str, **fields: Any) -> Json:
    """Open a payment."""
    if amount < 50:
        raise invalid("Amount must be at least $0.50 usd", code="amount_too_small", param="amount")
    made = account.add(shapes.payment_intent(account.now, amount, currency, **fields))
    account.tell("payment_intent.created", made)
    return made


def setup_intent(account: Account, customer_id: str, method: Json, metadata: Json) -> Json:
    """Save a card without a payment."""
    attach(account, method, customer_id)
    made = shapes.blank(
        "setup_intent",
        "seti",
        account.now,
        "application cancellation_reason description last_setup_error latest_attempt mandate next_action on_behalf_of "
        "single_use_mandate",
        client_secret=new_id("seti_secret"),
        customer=customer_id,
        payment_method=method["id"],
        payment_method_types=["card"],
        status="succeeded",
        usage="off_session",
    )
    account.add(made | {"metadata": metadata})
    account.tell("setup_intent.succeeded", account.objects[made["id"]])
    return account.objects[made["id"]]
