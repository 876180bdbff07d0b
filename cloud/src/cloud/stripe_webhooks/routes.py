"""The address that Stripe posts to."""

import json
import logging

import stripe
from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel
from starlette.requests import Request

from cloud.context import Context
from cloud.errors import Invalid, InvalidSignature
from cloud.stripe_webhooks.notice import Notice, as_object, read_notice
from cloud.stripe_webhooks.service import take_notice

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/stripe", tags=["stripe"])


class WebhookAnswer(BaseModel):
    received: bool = True
    duplicate: bool


async def body_of(request: Request) -> bytes:
    return await request.body()


def verified_notice(cloud: Context, body: bytes = Depends(body_of), stripe_signature: str = Header("")) -> Notice:
    """Return the event if Stripe signed it, lately, with our secret; 400 otherwise."""
    secret = cloud.settings.stripe_webhook_secret.get_secret_value()
    try:
        stripe.Webhook.construct_event(body, stripe_signature, secret)
    except stripe.SignatureVerificationError:
        raise InvalidSignature from None
    except (ValueError, AttributeError):
        raise Invalid("found a body that is no Stripe event") from None
    try:
        # The library's object reshapes what it wraps; what is forwarded is the event as it came.
        return read_notice(as_object(json.loads(body)))
    except (KeyError, ValueError, TypeError, OverflowError):
        raise Invalid("found a Stripe event without id, type or created") from None


@router.post("/webhook")
def post_webhook(cloud: Context, notice: Notice = Depends(verified_notice)) -> WebhookAnswer:
    """Take a webhook event; a copy is answered like the first, so that Stripe stops sending it."""
    is_new = take_notice(cloud, notice)
    logger.info("stripe event %s of type %s: %s", notice.id, notice.type, "taken" if is_new else "known")
    return WebhookAnswer(duplicate=not is_new)
