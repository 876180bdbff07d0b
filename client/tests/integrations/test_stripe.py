"""A webhook is verified by the real library, mapped to the seven types, given its owner, and reported once."""

import hashlib
import hmac
import json
import threading
import time

import pytest

from abuse_client.testing import RecordingClient

pytest.importorskip("stripe")

from abuse_client.integrations.stripe import InvalidWebhook, Owner, StripeWebhooks

SECRET = "whsec_of_a_test"
TYPES = {
    "payment_method.attached": "stripe.payment_method.attached",
    "payment_method.detached": "stripe.payment_method.detached",
    "charge.dispute.created": "stripe.charge.dispute.created",
    "charge.dispute.funds_withdrawn": "stripe.charge.dispute.funds_withdrawn",
    "radar.early_fraud_warning.created": "stripe.radar.early_fraud_warning.created",
    "charge.failed": "stripe.charge.failed",
    "payment_intent.succeeded": "stripe.payment_intent.succeeded",
}


def webhook(kind="charge.failed", event_id="evt_1", subject=None, **further):
    """The body of a webhook."""
    subject = {"id": "ch_1", "customer": "cus_1", "amount": 500} if subject is None else subject
    event = {"id": event_id, "object": "event", "type": kind, "created": 1714566896, "data": {"object": subject}}
    event["data"] |= further
    return json.dumps(event).encode()


def signed(body, secret=SECRET, at=None):
    """The header that Stripe sends with a body."""
    at = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


@pytest.fixture
def client():
    return RecordingClient()


@pytest.mark.parametrize(("kind", "reported"), TYPES.items())
def test_seven_types_are_reported(client, kind, reported):
    """Each of the seven is reported under its own type, whole, at Stripe's time and under Stripe's id."""
    webhooks = StripeWebhooks(client, secret=SECRET, owner_of=lambda notice: "user-1")
    body = webhook(kind)
    notice = webhooks.take(body, signed(body))
    assert (notice.id, notice.type) == ("evt_1", kind)
    event = client.assert_reported(reported, times=1, kilo_user_id="user-1")
    assert (event["event_id"], event["occurred_at"]) == ("evt_1", 1714566896000)
    assert event["data"] == json.loads(body) | {"kilo_user_id": "user-1"}


def test_other_types_are_verified_only(client):
    """A type that the service does not want comes back to the product and is not reported."""
    webhooks = StripeWebhooks(client, secret=SECRET)
    body = webhook("invoice.paid")
    assert webhooks.take(body, signed(body)).type == "invoice.paid"
    client.assert_nothing_reported()


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (webhook(), None),
        (webhook(), ""),
        (webhook(), "t=1,v1=00"),
        (webhook(), signed(webhook(), secret="whsec_other")),
        (webhook(), signed(webhook(), at=time.time() - 4_000)),
        (webhook(event_id="evt_2"), signed(webhook())),
        (b"\xff\xfe", "t=1,v1=00"),
        (b"not json", signed(b"not json")),
        (b"[]", signed(b"[]")),
        (b'{"id": "evt_1", "type": "charge.failed"}', signed(b'{"id": "evt_1", "type": "charge.failed"}')),
    ],
)
def test_bad_webhook_is_refused(client, body, signature):
    """Without a valid, young signature over exactly this body there is an error, and nothing is reported."""
    with pytest.raises(InvalidWebhook):
        StripeWebhooks(client, secret=SECRET).take(body, signature)
    client.assert_nothing_reported()


def test_two_secrets_while_one_is_replaced(client):
    """While a secret is replaced both are good."""
    webhooks = StripeWebhooks(client, secret=["whsec_new", SECRET])
    body = webhook()
    webhooks.take(body, signed(body))
    client.assert_reported("stripe.charge.failed", times=1)


def test_repeats_are_reported_once(client):
    """However often and in however many threads Stripe delivers an event, it is reported once."""
    webhooks = StripeWebhooks(client, secret=SECRET)
    body = webhook()
    threads = [threading.Thread(target=webhooks.take, args=(body, signed(body))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.assert_reported("stripe.charge.failed", times=1)
    other = webhook(event_id="evt_2")
    webhooks.take(other, signed(other))
    client.assert_reported("stripe.charge.failed", times=2)


def test_owner_from_metadata(client):
    """Without a look-up of its own the product's metadata names the owner, if it does."""
    webhooks = StripeWebhooks(client, secret=SECRET)
    subject = {"id": "pi_1", "metadata": {"kilo_user_id": "user-9", "organization_id": "org-1"}}
    body = webhook("payment_intent.succeeded", subject=subject)
    webhooks.take(body, signed(body))
    client.assert_reported("stripe.payment_intent.succeeded", kilo_user_id="user-9", organization_id="org-1")


@pytest.mark.parametrize(
    ("subject", "further", "ids"),
    [
        ({"id": "pm_1", "customer": None}, {"previous_attributes": {"customer": "cus_1"}}, ["cus_1", "pm_1"]),
        ({"id": "dp_1", "charge": "ch_1", "payment_intent": "pi_1"}, {}, ["pi_1", "ch_1", "dp_1"]),
        ({"id": "ch_1", "customer": {"id": "cus_1"}, "invoice": "in_1"}, {}, ["cus_1", "in_1", "ch_1"]),
        ({}, {}, []),
    ],
)
def test_notice_names_ids_for_look_up(client, subject, further, ids):
    """The look-up gets every id by which the product may know the owner, also where no customer stands."""
    seen = []
    webhooks = StripeWebhooks(client, secret=SECRET, owner_of=lambda notice: seen.extend(notice.named_ids()))
    body = webhook(subject=subject, **further)
    webhooks.take(body, signed(body))
    assert seen == ids


def test_owner_may_be_an_organization(client):
    """A look-up that finds an organization alone says so."""
    body = webhook()
    StripeWebhooks(client, secret=SECRET, owner_of=lambda notice: Owner(organization_id="org-1")).take(
        body, signed(body)
    )
    event = client.assert_reported("stripe.charge.failed", times=1, organization_id="org-1")
    assert "kilo_user_id" not in event["data"]


def test_failing_look_up_reports_without_owner(client):
    """A look-up that fails never fails the webhook: the event leaves without its owner."""

    def fails(notice):
        raise ConnectionError

    body = webhook()
    StripeWebhooks(client, secret=SECRET, owner_of=fails).take(body, signed(body))
    assert "kilo_user_id" not in client.assert_reported("stripe.charge.failed", times=1)["data"]


def test_report_may_wait_for_commit(client):
    """Who books in the same transaction hands the report to that."""
    later = []
    body = webhook()
    StripeWebhooks(client, secret=SECRET).take(body, signed(body), report=later.append)
    client.assert_nothing_reported()
    client.report_event(later[0])
    client.assert_reported("stripe.charge.failed", times=1)


def test_repeat_after_rollback_is_reported(client):
    """An event whose transaction was rolled back is reported when Stripe delivers it again."""
    webhooks, body, rolled_back, committed = StripeWebhooks(client, secret=SECRET), webhook(), [], []
    webhooks.take(body, signed(body), report=rolled_back.append)
    webhooks.take(body, signed(body), report=committed.append)
    assert [event.event_id for event in committed] == ["evt_1"]
