"""Ending business with somebody: what he pays for is cancelled, what he paid is given back, his disputes are accepted.

The block comes first: nothing is spent while money goes back, and a step that Stripe does not answer can be repeated.
"""

from cloud.accounts.profile import existing_user
from cloud.administration.audit import note
from cloud.administration.service import block_user
from cloud.billing.owners import find_owner
from cloud.billing.payments import Settlement
from cloud.context import Cloud


def cancel_and_refund(cloud: Cloud, user_id: str, reason: str, actor_email: str) -> tuple[bool, Settlement]:
    """Block the user, end his subscriptions and pay his payments back; say whether the block is new, and what ended."""
    with cloud.transaction() as work:
        is_new = block_user(work, user_id, f"cancelled and refunded: {reason}", actor_email)
        customer_id = existing_user(work, user_id).stripe_customer_id
    done = cloud.payments.cancel_and_refund([customer_id] if customer_id else [])
    with cloud.transaction() as work:
        ended = f"{len(done.cancelled)} subscriptions, {len(done.refunded)} payments"
        note(work, "refunded", actor_email=actor_email, reason=reason, user_id=user_id, subject=ended)
    return is_new, done


def accept_dispute(cloud: Cloud, dispute_id: str, reason: str, actor_email: str) -> str | None:
    """Block whose payment it is about, accept the dispute, and return his id; an organization blocks nobody."""
    ids = cloud.payments.find_dispute(dispute_id)
    with cloud.database.reading() as session:
        owner = find_owner(session, ids)
    if owner is None:
        looked_up = cloud.payments.find_owner_ids(ids)
        with cloud.database.reading() as session:
            owner = find_owner(session, looked_up)
    user_id = owner.user_id if owner is not None and owner.organization_id is None else None
    with cloud.transaction() as work:
        note(work, "dispute_accepted", actor_email=actor_email, reason=reason, user_id=user_id, subject=dispute_id)
        if user_id is not None:
            block_user(work, user_id, f"dispute {dispute_id} was accepted: {reason}", actor_email)
    cloud.payments.accept_dispute(dispute_id)
    return user_id
