"""Checkout: a session with an address on which a person pays, saves a card, or is declined."""

from typing import Any

from cloud.local.stripe import payments, shapes, subscriptions
from cloud.local.stripe.account import Account
from cloud.local.stripe.faults import invalid
from cloud.local.stripe.forms import number, text, wanting

Json = dict[str, Any]

DAY_SECONDS = 86_400
MODES = ("payment", "setup", "subscription")


def open_session(account: Account, params: Json) -> Json:
    """Open a session for the customer; nothing is paid before its page is filled in."""
    mode = text(params, "mode")
    if mode not in MODES:
        raise invalid(f"Invalid mode: must be one of {', '.join(MODES)}", param="mode")
    items = [] if mode == "setup" else read_items(params)
    amount = sum(number(item["price_data"], "unit_amount") * number(item, "quantity", 1) for item in items)
    made = shapes.blank(
        "checkout.session",
        "cs_test",
        account.now,
        "adaptive_pricing after_expiration allow_promotion_codes billing_address_collection client_reference_id "
        "client_secret consent consent_collection currency currency_conversion customer_account customer_details "
        "customer_email invoice invoice_creation locale payment_intent payment_link "
        "payment_method_configuration_details payment_method_options recovered_from return_url "
        "saved_payment_method_options setup_intent shipping_address_collection shipping_cost submit_type subscription",
        amount_subtotal=amount,
        amount_total=amount,
        automatic_tax={"enabled": False, "liability": None, "status": None},
        cancel_url=params.get("cancel_url"),
        custom_fields=[],
        custom_text=dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        customer=account.find("customer", text(params, "customer"))["id"],
        customer_creation=None,
        expires_at=account.now + DAY_SECONDS,
        metadata=params.get("metadata", {}),
        mode=mode,
        payment_method_types=["card"],
        payment_status="no_payment_required" if mode == "setup" else "unpaid",
        phone_number_collection={"enabled": False},
        shipping_options=[],
        status="open",
        success_url=text(params, "success_url"),
        total_details={"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        ui_mode="hosted_page",
    )
    made |= {"currency": items[0]["price_data"]["currency"] if items else None}
    made["client_reference_id"] = params.get("client_reference_id")
    made["url"] = f"{account.base_url}/c/pay/{made['id']}"
    account.orders[made["id"]] = params | {"line_items": items}
    return account.add(made)


def read_items(params: Json) -> list[Json]:
    items = params.get("line_items")
    if not isinstance(items, list) or not items:
        raise wanting("line_items")
    for item in items:
        if not isinstance(item, dict) or not isinstance(item.get("price_data"), dict):
            raise wanting("line_items[0][price_data]")
        text(item["price_data"], "currency")
        if params["mode"] == "subscription" and "recurring" not in item["price_data"]:
            raise invalid("You must provide at least one recurring price in `subscription` mode.")
    return items


def complete(account: Account, session: Json, card_number: str) -> Json:
    """Do what the page's reader asks for with his card; a decline leaves the session open."""
    if session["status"] != "open":
        raise invalid(f"This session is {session['status']}.")
    if session["expires_at"] <= account.now:
        return expire(account, session)
    order = account.orders[session["id"]]
    method = payments.take_card(account, card_number)
    if session["mode"] == "payment":
        pay_once(account, session, order, method)
    elif session["mode"] == "setup":
        metadata = order.get("setup_intent_data", {}).get("metadata", {})
        made = payments.setup_intent(account, session["customer"], method, metadata)
        session["setup_intent"] = made["id"]
    else:
        metadata = order.get("subscription_data", {}).get("metadata", {})
        begun = subscriptions.begin(account, session["customer"], method, order["line_items"], metadata)
        session |= {"subscription": begun["id"], "invoice": begun["latest_invoice"], "payment_status": "paid"}
    session |= {"status": "complete", "url": None}
    account.tell("checkout.session.completed", session)
    return session


def pay_once(account: Account, session: Json, order: Json, method: Json) -> None:
    """Pay; the second try after a decline is the same payment."""
    data = order.get("payment_intent_data", {})
    if session["payment_intent"] is None:
        fields = {"customer": session["customer"], "metadata": data.get("metadata", {})}
        fields |= {name: data.get(name) for name in ("description", "setup_future_usage")}
        opened = payments.new_intent(account, session["amount_total"], session["currency"], **fields)
        order["payment_intent"] = session["payment_intent"] = opened["id"]
    intent = account.find("payment_intent", session["payment_intent"])
    payments.confirm(account, intent, method, is_off_session=False)
    session["payment_status"] = "paid"


def expire(account: Account, session: Json) -> Json:
    """End a session that nobody completed."""
    if session["status"] != "open":
        raise invalid(f'Only Checkout Sessions with a status in ["open"] can be expired. This is {session["status"]}.')
    session |= {"status": "expired", "url": None}
    account.tell("checkout.session.expired", session)
    return session
