"""The part of Stripe's API that is spoken here: which method and path does what."""

import re
from collections.abc import Callable
from typing import Any

from cloud.local.stripe import checkout, payments, shapes, subscriptions
from cloud.local.stripe.account import Account
from cloud.local.stripe.faults import Fault, invalid
from cloud.local.stripe.forms import check, flag, number, text, wanting

Json = dict[str, Any]
Operation = Callable[..., Json]

MOST_A_PAGE = 100


def create_customer(account: Account, params: Json) -> Json:
    check(params, "description", "email", "metadata", "name", "phone")
    fields = {name: params[name] for name in ("description", "email", "name", "phone") if name in params}
    made = account.add(shapes.customer(account.now) | fields | {"metadata": params.get("metadata", {})})
    account.tell("customer.created", made)
    return made


def update_customer(account: Account, params: Json, customer_id: str) -> Json:
    check(params, "description", "email", "metadata", "name", "phone")
    found = account.find("customer", customer_id)
    metadata = found["metadata"] | params.pop("metadata", {})
    found |= params | {"metadata": metadata}
    account.tell("customer.updated", found)
    return found


def attach_method(account: Account, params: Json, method_id: str) -> Json:
    check(params, "customer")
    return payments.attach(account, payments.find_method(account, method_id), text(params, "customer"))


def detach_method(account: Account, params: Json, method_id: str) -> Json:
    check(params)
    return payments.detach(account, account.find("payment_method", method_id))


def create_intent(account: Account, params: Json) -> Json:
    names = ("confirm", "currency", "customer", "description", "metadata", "off_session", "payment_method")
    check(params, "amount", "automatic_payment_methods", "payment_method_types", "setup_future_usage", *names)
    if params.get("customer"):
        account.find("customer", params["customer"])
    is_confirmed = flag(params, "confirm")
    if is_confirmed and not params.get("payment_method"):
        raise wanting("payment_method")
    fields = {name: params.get(name) for name in ("customer", "description", "setup_future_usage")}
    fields["metadata"] = params.get("metadata", {})
    intent = payments.new_intent(account, number(params, "amount"), text(params, "currency"), **fields)
    if not is_confirmed:
        return intent
    method = payments.find_method(account, params["payment_method"])
    return payments.confirm(account, intent, method, is_off_session=flag(params, "off_session"))


def confirm_intent(account: Account, params: Json, intent_id: str) -> Json:
    check(params, "off_session", "payment_method", "return_url")
    intent = account.find("payment_intent", intent_id)
    method = payments.find_method(account, text(params, "payment_method"))
    return payments.confirm(account, intent, method, is_off_session=flag(params, "off_session"))


def create_refund(account: Account, params: Json) -> Json:
    check(params, "amount", "charge", "metadata", "payment_intent", "reason")
    if params.get("payment_intent"):
        intent = account.find("payment_intent", params["payment_intent"])
        charge_id = intent["latest_charge"] if intent["status"] == "succeeded" else None
        if charge_id is None:
            raise invalid(f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.")
    else:
        charge_id = text(params, "charge")
    amount = number(params, "amount") if "amount" in params else None
    fields = {"reason": params.get("reason"), "metadata": params.get("metadata", {})}
    return payments.refund(account, account.find("charge", charge_id), amount, **fields)


def close_dispute(account: Account, params: Json, dispute_id: str) -> Json:
    check(params)
    return payments.close_dispute(account, account.find("dispute", dispute_id))


def create_session(account: Account, params: Json) -> Json:
    check(
        params,
        *("cancel_url", "client_reference_id", "customer", "line_items", "metadata", "mode", "payment_intent_data"),
        *("currency", "payment_method_types", "setup_intent_data", "subscription_data", "success_url"),
    )
    return checkout.open_session(account, params)


def expire_session(account: Account, params: Json, session_id: str) -> Json:
    check(params)
    return checkout.expire(account, account.find("checkout.session", session_id))


def update_subscription(account: Account, params: Json, subscription_id: str) -> Json:
    check(params, "cancel_at_period_end", "items", "metadata", "proration_behavior")
    found = account.find("subscription", subscription_id)
    items = params.get("items", [])
    return subscriptions.change(
        account,
        found,
        is_cancelling=flag(params, "cancel_at_period_end") if "cancel_at_period_end" in params else None,
        quantity=number(items[0], "quantity") if items else None,
        metadata=params.get("metadata", {}),
    )


def cancel_subscription(account: Account, params: Json, subscription_id: str) -> Json:
    check(params, "cancellation_details", "invoice_now", "prorate")
    return subscriptions.end(account, account.find("subscription", subscription_id))


LISTED = {
    "charges": ("charge", ("customer", "payment_intent")),
    "checkout/sessions": ("checkout.session", ("customer", "payment_intent", "subscription")),
    "customers": ("customer", ("email",)),
    "disputes": ("dispute", ("charge", "payment_intent")),
    "events": ("event", ("type",)),
    "invoices": ("invoice", ("customer", "status")),
    "payment_intents": ("payment_intent", ("customer",)),
    "payment_methods": ("payment_method", ("customer", "type")),
    "radar/early_fraud_warnings": ("radar.early_fraud_warning", ("charge", "payment_intent")),
    "refunds": ("refund", ("charge", "payment_intent")),
    "setup_intents": ("setup_intent", ("customer",)),
    "subscriptions": ("subscription", ("customer", "status")),
}

CHANGES: list[tuple[str, str, Operation]] = [
    ("POST", "customers", create_customer),
    ("POST", "customers/{id}", update_customer),
    ("POST", "payment_methods/{id}/attach", attach_method),
    ("POST", "payment_methods/{id}/detach", detach_method),
    ("POST", "payment_intents", create_intent),
    ("POST", "payment_intents/{id}/confirm", confirm_intent),
    ("POST", "refunds", create_refund),
    ("POST", "disputes/{id}/close", close_dispute),
    ("POST", "checkout/sessions", create_session),
    ("POST", "checkout/sessions/{id}/expire", expire_session),
    ("POST", "subscriptions/{id}", update_subscription),
    ("DELETE", "subscriptions/{id}", cancel_subscription),
]


def perform(account: Account, method: str, path: str, params: Json) -> Json:
    """Do what the method and path ask for, and return the object that it is about."""
    for spoken, pattern, operation in CHANGES:
        matched = re.fullmatch(pattern.replace("{id}", r"(\w+)"), path)
        if spoken == method and matched:
            return operation(account, params, *matched.groups())
    if method == "GET":
        return read(account, path, params)
    raise unknown(method, path)


def read(account: Account, path: str, params: Json) -> Json:
    collection, _, found_id = path.rpartition("/")
    if path in LISTED:
        return page(account, path, params)
    if collection not in LISTED:
        raise unknown("GET", path)
    found = account.find(LISTED[collection][0], found_id)
    wanted = [name for name in params.get("expand", []) if isinstance(found.get(name), str)]
    return found | {name: account.objects[found[name]] for name in wanted}


def page(account: Account, path: str, params: Json) -> Json:
    """Return one page of a list, the newest first."""
    kind, filters = LISTED[path]
    check(params, "ending_before", "limit", "starting_after", *filters)
    fields = {name: params[name] for name in filters if name in params and params[name] != "all"}
    found = list(account.every(kind, **fields))
    after = params.get("starting_after")
    if after is not None:
        found = found[[item["id"] for item in found].index(account.find(kind, after)["id"]) + 1 :]
    limit = number(params, "limit", 10)
    if not 1 <= limit <= MOST_A_PAGE:
        raise invalid("Invalid integer: limit must be between 1 and 100", param="limit")
    return shapes.listing(found[:limit], f"/v1/{path}", has_more=len(found) > limit)


def unknown(method: str, path: str) -> Fault:
    return invalid(f"Unrecognized request URL ({method}: /v1/{path}).", status=404)
