"""Stripe on this machine: the part of its API that the cloud uses, its Checkout page, its webhooks.

It answers over HTTP at the documented paths, in the documented forms, to the official library. Money is never real: the
card numbers that Stripe documents for testing succeed, are declined, are disputed or bring a warning, as documented.
Any other number that a card could have is taken, and each number has a fingerprint of its own. `/local/…` makes happen
what at Stripe happens by itself: a renewal, a dispute, a warning, webhooks that come twice or in another order.
"""

from cloud.local.stripe.account import Account
from cloud.local.stripe.api import create_stripe
from cloud.local.stripe.webhooks import Webhooks

__all__ = ["Account", "Webhooks", "create_stripe"]
