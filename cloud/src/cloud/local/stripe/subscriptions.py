"""Subscriptions and their invoices: begun by a first payment, renewed, changed, ended."""

from typing import Any

from cloud.local.stripe import payments, shapes
from cloud.local.stripe.account import Account, new_id, snapshot
from cloud.local.stripe.faults import Fault, invalid

Json = dict[str, Any]

MONTH_SECONDS = 30 * 86_400


def begin(account: Account, customer_id: str, method: Json, items: list[Json], metadata: Json) -> Json:
    """Begin a subscription with its first payment; a decline is raised and leaves no subscription."""
    made = new_subscription(account, customer_id, items, metadata)
    intent = pay(account, made, method, is_off_session=False)
    account.add(made)
    made["default_payment_method"] = method["id"]
    account.tell("customer.subscription.created", made)
    bill(account, made, "subscription_create", intent)
    made["status"] = "active"
    account.tell("customer.subscription.updated", made, {"status": "incomplete"})
    return made


def renew(account: Account, found: Json) -> Json:
    """Let a month pass: the next invoice is paid with the saved card, or the subscription is past due."""
    if found["status"] not in {"active", "past_due"}:
        raise invalid(f"A {found['status']} subscription is not renewed.")
    if found["cancel_at_period_end"]:
        return end(account, found)
    method = account.find("payment_method", found["default_payment_method"])
    before = {"status": found["status"]}
    for item in found["items"]["data"]:
        item["current_period_start"], item["current_period_end"] = (
            item["current_period_end"],
            item["current_period_end"] + MONTH_SECONDS,
        )
    try:
        intent = pay(account, found, method, is_off_session=True)
    except Fault:
        bill(account, found, "subscription_cycle", None)
        found["status"] = "past_due"
    else:
        bill(account, found, "subscription_cycle", intent)
        found["status"] = "active"
    account.tell("customer.subscription.updated", found, before)
    return found


def change(account: Account, found: Json, *, is_cancelling: bool | None, quantity: int | None, metadata: Json) -> Json:
    """Change what the subscription says of its end, its quantity and its metadata."""
    if found["status"] == "canceled":
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    before: Json = {}
    if is_cancelling is not None and is_cancelling != found["cancel_at_period_end"]:
        before["cancel_at_period_end"] = found["cancel_at_period_end"]
        found["cancel_at_period_end"] = is_cancelling
        found["cancel_at"] = found["items"]["data"][0]["current_period_end"] if is_cancelling else None
    if quantity is not None:
        before["items"] = snapshot(found["items"])
        found["items"]["data"][0]["quantity"] = quantity
    if metadata:
        before["metadata"], found["metadata"] = found["metadata"], found["metadata"] | metadata
    if before:
        account.tell("customer.subscription.updated", found, before)
    return found


def end(account: Account, found: Json) -> Json:
    """End the subscription now."""
    if found["status"] == "canceled":
        raise invalid(f"No such subscription: '{found['id']}'", status=404, code="resource_missing")
    found |= {"status": "canceled", "canceled_at": account.now, "ended_at": account.now}
    account.tell("customer.subscription.deleted", found)
    return found


def total(found: Json) -> int:
    return sum(item["price"]["unit_amount"] * item["quantity"] for item in found["items"]["data"])


def pay(account: Account, found: Json, method: Json, *, is_off_session: bool) -> Json:
    """Pay what the subscription costs a month; the payment's metadata are Stripe's, not the subscription's."""
    amount = total(found)
    intent = payments.new_intent(account, amount, found["currency"], customer=found["customer"])
    intent["setup_future_usage"] = "off_session"
    return payments.confirm(account, intent, method, is_off_session=is_off_session)


def new_subscription(account: Account, customer_id: str, items: list[Json], metadata: Json) -> Json:
    made = shapes.blank(
        "subscription",
        "sub",
        account.now,
        "application application_fee_percent billing_cycle_anchor_config billing_thresholds cancel_at canceled_at "
        "customer_account days_until_due default_payment_method default_source description ended_at latest_invoice "
        "next_pending_invoice_item_invoice on_behalf_of pause_collection pending_invoice_item_interval "
        "pending_setup_intent pending_update schedule test_clock transfer_data trial_end trial_settings trial_start",
        automatic_tax={"disabled_reason": None, "enabled": False, "liability": None},
        billing_cycle_anchor=account.now,
        billing_mode={"type": "flexible"},
        billing_schedules=[],
        cancel_at_period_end=False,
        cancellation_details=dict.fromkeys(("comment", "feedback", "reason")),
        collection_method="charge_automatically",
        currency=items[0]["price_data"]["currency"],
        customer=customer_id,
        default_tax_rates=[],
        discounts=[],
        invoice_settings={"account_tax_ids": None, "issuer": {"type": "self"}},
        metadata=metadata,
        payment_settings={"payment_method_options": None, "payment_method_types": None},
        start_date=account.now,
        status="incomplete",
    )
    lines = [new_item(account, made["id"], item) for item in items]
    return made | {"items": shapes.listing(lines, f"/v1/subscription_items?subscription={made['id']}")}


def new_item(account: Account, subscription_id: str, item: Json) -> Json:
    data = item["price_data"]
    price = shapes.blank(
        "price",
        "price",
        account.now,
        "lookup_key nickname tiers_mode transform_quantity",
        active=True,
        billing_scheme="per_unit",
        currency=data["currency"],
        product=new_id("prod"),
        recurring={"interval": "month", "interval_count": 1, "meter": None, "usage_type": "licensed"},
        tax_behavior="unspecified",
        type="recurring",
        unit_amount=int(data["unit_amount"]),
        unit_amount_decimal=str(data["unit_amount"]),
    )
    return shapes.blank(
        "subscription_item",
        "si",
        account.now,
        "billing_thresholds",
        current_period_start=account.now,
        current_period_end=account.now + MONTH_SECONDS,
        discounts=[],
        price=price,
        quantity=int(item.get("quantity", 1)),
        subscription=subscription_id,
        tax_rates=[],
    )


def bill(account: Account, found: Json, reason: str, intent: Json | None) -> Json:
    """Write the invoice of a month, paid by the payment or, without one, open."""
    amount, is_paid = total(found), intent is not None
    made = account.add(
        shapes.blank(
            "invoice",
            "in",
            account.now,
            "account_country account_name account_tax_ids application custom_fields customer_account customer_address "
            "customer_email customer_name customer_phone customer_shipping default_payment_method default_source "
            "description due_date ending_balance footer from_invoice hosted_invoice_url invoice_pdf "
            "last_finalization_error latest_revision next_payment_attempt number on_behalf_of receipt_number rendering "
            "shipping_cost shipping_details statement_descriptor test_clock threshold_reason webhooks_delivered_at",
            amount_due=amount,
            amount_overpaid=0,
            amount_paid=amount if is_paid else 0,
            amount_remaining=0 if is_paid else amount,
            amount_shipping=0,
            attempt_count=1,
            attempted=True,
            auto_advance=not is_paid,
            automatic_tax={"disabled_reason": None, "enabled": False, "liability": None, "status": None},
            billing_reason=reason,
            collection_method="charge_automatically",
            currency=found["currency"],
            customer=found["customer"],
            customer_tax_exempt="none",
            default_tax_rates=[],
            discounts=[],
            effective_at=account.now,
            issuer={"type": "self"},
            parent={
                "quote_details": None,
                "subscription_details": {"metadata": dict(found["metadata"]), "subscription": found["id"]},
                "type": "subscription_details",
            },
            payment_settings={"payment_method_options": None, "payment_method_types": None},
            period_end=account.now,
            period_start=account.now,
            post_payment_credit_notes_amount=0,
            pre_payment_credit_notes_amount=0,
            starting_balance=0,
            status="paid" if is_paid else "open",
            status_transitions={"finalized_at": account.now, "paid_at": account.now if is_paid else None},
            subtotal=amount,
            subtotal_excluding_tax=amount,
            total=amount,
            total_excluding_tax=amount,
            total_discount_amounts=[],
            total_pretax_credit_amounts=[],
            total_taxes=[],
        )
    )
    lines = [invoice_line(account, made["id"], found, item) for item in found["items"]["data"]]
    made["lines"] = shapes.listing(lines, f"/v1/invoices/{made['id']}/lines")
    found["latest_invoice"] = made["id"]
    if is_paid:
        account.tell("invoice.paid", made)
        account.tell("invoice.payment_succeeded", made)
    else:
        account.tell("invoice.payment_failed", made)
    return made


def invoice_line(account: Account, invoice_id: str, found: Json, item: Json) -> Json:
    made = shapes.blank("line_item", "il", account.now, "description", invoice=invoice_id)
    made.pop("created")
    price, quantity = item["price"], item["quantity"]
    return made | {
        "amount": price["unit_amount"] * quantity,
        "currency": price["currency"],
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "metadata": dict(found["metadata"]),
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {"subscription": found["id"], "subscription_item": item["id"]},
            "type": "subscription_item_details",
        },
        "period": {"start": item["current_period_start"], "end": item["current_period_end"]},
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": quantity,
        "subtotal": price["unit_amount"] * quantity,
        "taxes": [],
    }
