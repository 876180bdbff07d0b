"""Keeping what happened, in the transaction that makes it true, and forgetting it with the person."""

import logging
from typing import Any

from sqlalchemy import delete, or_, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from abuse_client.contract import AuthEventPayload, AuthEventType, CloudEvent, encode_fields, to_builtins
from cloud.accounts.models import User
from cloud.billing.models import StripeOwner
from cloud.database import LOCK, Database
from cloud.history.models import Happening

logger = logging.getLogger(__name__)

Json = dict[str, Any]

PERSONAL = ("user.email_changed", *(f"auth.{kind.value}" for kind in AuthEventType))
"""What tells who somebody is. All that Stripe says may, too."""


def keep_event(session: Session, event: CloudEvent) -> None:
    """Keep a business event; it stands if the transaction is committed."""
    told: Json = to_builtins(event)
    data = told["data"]
    session.add(
        Happening(
            id=told["event_id"],
            type=told["type"],
            user_id=data.get("kilo_user_id"),
            organization_id=data.get("organization_id"),
            occurred_at_ms=told["occurred_at"],
            actor_email=data.pop("actor_email", None),
            told=told,
        )
    )


def keep_entry(database: Database, payload: AuthEventPayload) -> None:
    """Keep a sign-up or sign-in, unless the person was forgotten meanwhile; a fault is logged and changes nothing."""
    told: Json = to_builtins(payload)
    row = Happening(
        id=told["event_id"],
        type=f"auth.{told['event_type']}",
        user_id=payload.kilo_user_id,
        organization_id=None,
        occurred_at_ms=told["occurred_at"],
        actor_email=None,
        told=told,
    )
    try:
        with database.writing() as session:
            user = session.get(User, payload.kilo_user_id, with_for_update=LOCK)
            if user is not None and user.deleted_at is None:
                session.add(row)
    except SQLAlchemyError as error:
        logger.warning("a sign-in is not in the history: %s", type(error).__name__)


def retold(row: Happening) -> Json:
    """Return what was reported, word for word."""
    if row.actor_email is None:
        return row.told
    return row.told | {"data": row.told["data"] | {"actor_email": row.actor_email}}


def forget_history(session: Session, user_id: str) -> None:
    """Drop what tells who the user is: addresses, sign-ins, all of Stripe's; also where only an id of his is named."""
    is_stripe = Happening.type.startswith("stripe.", autoescape=True)
    is_personal = or_(is_stripe, Happening.type.in_(PERSONAL))
    session.execute(delete(Happening).where(Happening.user_id == user_id, is_personal))
    own_ids = list(session.scalars(select(StripeOwner.stripe_id).where(StripeOwner.user_id == user_id)))
    ownerless = select(Happening).where(is_stripe, Happening.user_id.is_(None))
    for row in session.scalars(ownerless):
        words = encode_fields(row.told).decode()
        if any(f'"{stripe_id}"' in words for stripe_id in own_ids):
            session.delete(row)
