"""A deleted account: what ends with it, what its record lets go of, and that nothing comes back."""

import msgspec

from abuse_client.contract import AuthEventPayload
from abuse_service.identities import facts
from abuse_service.identities.forgetting import STAYS
from abuse_service.testing import NOW_MS, World, in_each_order, sent, signed_in

EARLIER, LATER = NOW_MS - 2000, NOW_MS - 1000

PERSONAL = {
    "email": "ada.personal@example.com",
    "ip_address": "192.0.2.77",
    "signup_ip": "192.0.2.78",
    "ja4_digest": "ja4-personal",
    "user_agent": "agent-personal",
    "geo_city": "city-personal",
    "hosted_domain": "hosted-personal.example.com",
    "stytch_session_id": "session-personal",
    "stytch_hardware_fingerprint": "hardware-personal",
    "signup_ja4_digest": "ja4-signup-personal",
    "stripe_customer_id": "cus_1",
}


def test_deleted_record_holds_nothing_personal() -> None:
    """Values that tell a person are in the record of a deleted account in no order; types, counts and amounts are."""
    for world in in_each_order(
        signed_in(EARLIER, **PERSONAL, is_bot=False, stytch_verdict_action="ALLOW"),
        sent("user.deleted", LATER),
        sent("user.email_changed", NOW_MS, email="new.personal@example.com", previous_email="old.personal@example.com"),
        sent("billing.credit_purchased", EARLIER, microdollars_acquired=5),
    ):
        record = world.record()
        kept = msgspec.msgpack.encode(record)
        said = [value for name, value in PERSONAL.items() if name != "stripe_customer_id"]
        assert [value for value in (*said, "personal@") if value.encode() in kept] == []
        assert record.credits.paid_microdollars == 5
        assert record.event_counts["auth.signin"] == 1
        assert [fields for _, fields in record.profile] == [{"is_bot": False, "stytch_verdict_action": "ALLOW"}]


def test_deletion_ends_pass_and_methods() -> None:
    """With the account its pass and the attachment of its payment methods end, also those that are told later."""
    for world in in_each_order(
        sent("billing.kilo_pass_changed", NOW_MS, tier="tier_19", status="active"),
        sent("stripe.payment_method.attached", NOW_MS, id="pm_1", customer="cus_1"),
        sent("user.deleted", LATER),
    ):
        record = world.record()
        assert not facts.has_pass(record)
        assert facts.payment_methods(record) == {"pm_1": {"is_attached": False}}


def test_blocks_outlive_the_account() -> None:
    """Who deletes a blocked account is still known to have been blocked."""
    for world in in_each_order(sent("user.blocked", EARLIER, reason="resold keys"), sent("user.deleted", LATER)):
        assert facts.is_blocked(world.record())


def test_what_stays_is_in_the_contract() -> None:
    """The fields of a profile that outlive the account are fields of the wire."""
    assert set(AuthEventPayload.__struct_fields__) >= STAYS
    assert not STAYS & PERSONAL.keys()


def test_other_member_is_untouched() -> None:
    """A deletion changes no other user's record."""
    world = World()
    for user in ("u1", "u2"):
        world.sign_in(user, **PERSONAL)
    before = msgspec.msgpack.encode(world.record("u2"))
    sent("user.deleted", LATER)(world)
    assert msgspec.msgpack.encode(world.record("u2")) == before
