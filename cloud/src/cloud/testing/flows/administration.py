"""Blocks and what lifts them."""

from datetime import timedelta

from cloud.story.deeds import DISPUTED_CARD, buy
from cloud.testing.flows.flow import Flows, Ready
from cloud.testing.town import Town

FLOWS = Flows()


@FLOWS.shows(("user.blocked", "admin block", "administration.routes.post_block"))
def block(town: Town) -> Ready:
    user, admin = town.resident(), town.admin
    path = f"/admin/users/{user.kilo_user_id}/block"
    return Ready(
        act=lambda: admin.send("POST", path, json={"reason": "resale"}),
        names={"user": user.kilo_user_id, "admin": admin.email},
    )


@FLOWS.shows(("user.blocked", "bulk block", "administration.bulk.bulk_block"))
def block_many(town: Town) -> Ready:
    one, other, admin = town.resident(), town.resident(), town.admin
    wish = {"kilo_user_ids": [one.kilo_user_id, other.kilo_user_id], "reason": "a farm"}
    return Ready(
        act=lambda: admin.send("POST", "/admin/users/bulk-block", json=wish),
        names={"user": one.kilo_user_id, "other": other.kilo_user_id, "admin": admin.email},
    )


@FLOWS.shows(("user.blocked", "automatic ban", "administration.service.ban_automatically"))
def come_on_banned_device(town: Town) -> Ready:
    user = town.resident(fingerprint=f"hw-{town.new_word()}")
    for _ in range(town.running.device_checker.showings_an_hour):
        user.show_device()
    user.do("POST", "/auth/email-link", json={"email": user.email})
    form = {"token": user.letter_token(user.email), "telemetry_id": user.show_device()}
    return Ready(
        act=lambda: user.send("POST", "/auth/email-link/confirm", data=form),
        names={"user": user.kilo_user_id, "email": user.email, "device": user.fingerprint or ""},
    )


@FLOWS.shows(("user.blocked", "cancel-and-refund", "administration.settlement.cancel_and_refund"))
def be_settled(town: Town) -> Ready:
    user, admin = town.resident(), town.admin
    path = f"/admin/users/{user.kilo_user_id}/cancel-and-refund"
    return Ready(
        act=lambda: admin.send("POST", path, json={"reason": "stolen card"}),
        names={"user": user.kilo_user_id, "admin": admin.email},
    )


@FLOWS.shows(("user.blocked", "an accepted dispute", "administration.settlement.accept_dispute"))
def accept_dispute(town: Town) -> Ready:
    user, admin = town.resident(), town.admin
    buy(user, 2_000, DISPUTED_CARD)
    customer = user.do("POST", "/billing/customer").json()["stripe_customer_id"]
    charge = next(town.running.stripe.every("charge", customer=customer))
    claim = next(town.running.stripe.every("dispute", charge=charge["id"]))
    path = f"/admin/disputes/{claim['id']}/accept"
    return Ready(
        act=lambda: admin.send("POST", path, json={"reason": "no evidence"}),
        names={"user": user.kilo_user_id, "admin": admin.email, "dispute": claim["id"]},
    )


@FLOWS.shows(("user.blocked", "a domain blacklist back-fill", "administration.domains.blacklist_domain"))
def blacklist(town: Town) -> Ready:
    domain, admin = f"{town.new_word()}.example", town.admin
    user = town.resident(email=f"eve@{domain}")
    wish = {"domain": domain, "reason": "throw-away addresses"}
    return Ready(
        act=lambda: admin.send("POST", "/admin/domains", json=wish),
        names={"user": user.kilo_user_id, "admin": admin.email, "domain": domain},
    )


@FLOWS.shows(("user.unblocked", "admin unblock", "administration.routes.post_unblock"))
def unblock(town: Town) -> Ready:
    user, admin = town.resident(), town.admin
    admin.do("POST", f"/admin/users/{user.kilo_user_id}/block", json={"reason": "resale"})
    path = f"/admin/users/{user.kilo_user_id}/unblock"
    return Ready(
        act=lambda: admin.send("POST", path, json={"reason": "appeal"}),
        names={"user": user.kilo_user_id, "admin": admin.email},
    )


@FLOWS.shows(("user.unblocked", "bulk unblock by reason and date", "administration.bulk.bulk_unblock"))
def unblock_many(town: Town) -> Ready:
    user, admin, reason, now = town.resident(), town.admin, town.new_word(), town.running.cloud.clock()
    admin.do("POST", f"/admin/users/{user.kilo_user_id}/block", json={"reason": reason})
    window = {"since": str(now - timedelta(hours=1)), "until": str(now + timedelta(hours=1))}
    wish = {"blocked_reason": reason, "reason": "a rule was wrong", **window}
    return Ready(
        act=lambda: admin.send("POST", "/admin/users/bulk-unblock", json=wish),
        names={"user": user.kilo_user_id, "admin": admin.email},
    )
