"""New objects in Stripe's shapes, with every field that its own fixtures have."""

from typing import Any

from cloud.local.stripe.account import new_id
from cloud.local.stripe.cards import Card

Json = dict[str, Any]

NO_ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
NO_PERSON: Json = {"address": NO_ADDRESS, "email": None, "name": None, "phone": None, "tax_id": None}
EVIDENCE = """
access_activity_log billing_address cancellation_policy cancellation_policy_disclosure cancellation_rebuttal
customer_communication customer_email_address customer_name customer_purchase_ip customer_signature
duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description receipt
refund_policy refund_policy_disclosure refund_refusal_explanation service_date service_documentation
shipping_address shipping_carrier shipping_date shipping_documentation shipping_tracking_number
uncategorized_file uncategorized_text
"""


def listing(items: list[Json], url: str, *, has_more: bool = False) -> Json:
    return {"object": "list", "data": items, "has_more": has_more, "url": url}


def blank(kind: str, prefix: str, created: int, nothing: str, **fields: Any) -> Json:
    """Return an object whose named fields say nothing, and whose others are as given."""
    head = {"id": new_id(prefix), "object": kind, "created": created, "livemode": False, "metadata": {}}
    return head | dict.fromkeys(nothing.split()) | fields


def customer(created: int, **fields: Any) -> Json:
    return blank(
        "customer",
        "cus",
        created,
        "currency default_source description discount email name phone shipping test_clock",
        address=NO_ADDRESS,
        balance=0,
        delinquent=False,
        invoice_prefix=new_id("")[1:9].upper(),
        invoice_settings=dict.fromkeys(("custom_fields", "default_payment_method", "footer", "rendering_options")),
        next_invoice_sequence=1,
        preferred_locales=[],
        tax_exempt="none",
        **fields,
    )


def payment_method(created: int, card: Card) -> Json:
    return blank(
        "payment_method",
        "pm",
        created,
        "customer customer_account",
        allow_redisplay="unspecified",
        billing_details=NO_PERSON,
        card=card_of(card)
        | {
            "display_brand": card.brand,
            "generated_from": None,
            "networks": {"available": [card.brand], "preferred": None},
            "three_d_secure_usage": {"supported": True},
        },
        type="card",
    )


def card_of(card: Card) -> Json:
    checks = {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"}
    return {
        "brand": card.brand,
        "checks": checks,
        "country": "US",
        "exp_month": 8,
        "exp_year": 2030,
        "fingerprint": card.fingerprint,
        "funding": "credit",
        "last4": card.number[-4:],
        "regulated_status": None,
        "wallet": None,
    }


def payment_intent(created: int, amount: int, currency: str, **fields: Any) -> Json:
    made = blank(
        "payment_intent",
        "pi",
        created,
        "application application_fee_amount canceled_at cancellation_reason customer customer_account description "
        "excluded_payment_method_types last_payment_error latest_charge managed_payments next_action on_behalf_of "
        "payment_method payment_method_configuration_details processing receipt_email review setup_future_usage "
        "shipping source statement_descriptor statement_descriptor_suffix transfer_data transfer_group",
        amount=amount,
        amount_capturable=0,
        amount_details={"tip": {}},
        amount_received=0,
        automatic_payment_methods={"enabled": True},
        capture_method="automatic",
        confirmation_method="automatic",
        currency=currency,
        payment_method_options={},
        payment_method_types=["card"],
        status="requires_payment_method",
    )
    return made | {"client_secret": f"{made['id']}_{new_id('secret')}"} | fields


def charge(created: int, intent: Json, method: Json) -> Json:
    made = blank(
        "charge",
        "ch",
        created,
        "application application_fee application_fee_amount calculated_statement_descriptor description "
        "failure_balance_transaction failure_code failure_message on_behalf_of outcome receipt_email receipt_number "
        "receipt_url review shipping source source_transfer statement_descriptor statement_descriptor_suffix "
        "transfer_data transfer_group",
        amount=intent["amount"],
        amount_captured=intent["amount"],
        amount_refunded=0,
        balance_transaction=new_id("txn"),
        billing_details=NO_PERSON,
        captured=True,
        currency=intent["currency"],
        customer=intent["customer"],
        disputed=False,
        fraud_details={},
        paid=True,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details={"card": method["card"] | {"network": method["card"]["brand"]}, "type": "card"},
        refunded=False,
        status="succeeded",
    )
    return made | {
        "metadata": dict(intent["metadata"]),
        "refunds": listing([], f"/v1/charges/{made['id']}/refunds"),
    }


def refund(created: int, charged: Json, amount: int, **fields: Any) -> Json:
    return blank(
        "refund",
        "re",
        created,
        "customer_account description destination_details failure_reason pending_reason receipt_number "
        "source_transfer_reversal transfer_reversal",
        amount=amount,
        balance_transaction=new_id("txn"),
        charge=charged["id"],
        currency=charged["currency"],
        customer=charged["customer"],
        payment_intent=charged["payment_intent"],
        payment_method=charged["payment_method"],
        status="succeeded",
        **fields,
    )


def dispute(created: int, charged: Json, reason: str) -> Json:
    withdrawn = {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": -charged["amount"],
        "created": created,
        "currency": charged["currency"],
        "fee": 1_500,
        "net": -charged["amount"] - 1_500,
        "reporting_category": "dispute",
        "type": "adjustment",
    }
    brand = charged["payment_method_details"]["card"]["brand"]
    return blank(
        "dispute",
        "dp",
        created,
        "",
        amount=charged["amount"],
        balance_transactions=[withdrawn],
        charge=charged["id"],
        currency=charged["currency"],
        enhanced_eligibility_types=[],
        evidence=dict.fromkeys(EVIDENCE.split()) | {"enhanced_evidence": {}},
        evidence_details={
            "due_by": created + 7 * 86_400,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        is_charge_refundable=False,
        payment_intent=charged["payment_intent"],
        payment_method_details={
            "card": {"brand": brand, "case_type": "chargeback", "network_reason_code": "10.4"},
            "type": "card",
        },
        reason=reason,
        status="needs_response",
    )


def early_fraud_warning(created: int, charged: Json, fraud_type: str) -> Json:
    made = blank("radar.early_fraud_warning", "issfr", created, "")
    made.pop("metadata")
    return made | {
        "actionable": not charged["refunded"],
        "charge": charged["id"],
        "fraud_type": fraud_type,
        "payment_intent": charged["payment_intent"],
    }
