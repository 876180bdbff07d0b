"""How many accounts may share a thing before it stops linking them (decision 5)."""

from collections.abc import Mapping
from typing import Any

from abuse_service.errors import PolicyError
from abuse_service.events.entity import EntityKind

LINK_THRESHOLDS = {
    "link_device_users": 250,
    "link_card_users": 100,
    "link_mailbox_users": 250,
    "link_customer_users": 50,
}
"""Thresholds that clusters read, and what holds where the policy does not name them.

What more share is no person's: an emulator's device, a processor's test card, a role mailbox, a constant in somebody's
program. The facts ``device.users`` and ``card.users`` go on counting.
"""

_LETTERS = {
    "link_device_users": EntityKind.DEVICE.value,
    "link_card_users": EntityKind.CARD.value,
    "link_mailbox_users": EntityKind.MAILBOX.value,
    "link_customer_users": EntityKind.CUSTOMER.value,
}
_MOST = 255
"""One less than the accounts that are remembered of one thing: with that many it is not known how many there are."""


def check_links(thresholds: Mapping[str, Any]) -> None:
    """Refuse a degree that can't be. Raises `PolicyError` that names the place."""
    for name in LINK_THRESHOLDS:
        value = thresholds.get(name, LINK_THRESHOLDS[name])
        if type(value) is not int or not 1 <= value <= _MOST:
            raise PolicyError(f"expected a whole number from 1 to {_MOST}", path=f"thresholds.{name}")


def link_degrees(thresholds: Mapping[str, Any]) -> dict[bytes, int]:
    """By the letter of a strong kind, how many accounts one of it links at most."""
    return {letter: thresholds.get(name, LINK_THRESHOLDS[name]) for name, letter in _LETTERS.items()}
