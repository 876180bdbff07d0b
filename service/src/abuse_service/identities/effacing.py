"""A record without the person, where the events that it was folded from are gone (0024)."""

from typing import Any

import msgspec

from abuse_service.events.tokens import Tokens
from abuse_service.identities.forgetting import forget_personal
from abuse_service.identities.merge import Layer
from abuse_service.identities.record import Record

_IDS = frozenset({"charge", "payment_intent", "card"})
_PERSONAL = frozenset({"last4"})
_replace = msgspec.structs.replace


def efface(record: Record, tokens: Tokens) -> None:
    """Take the person out of a record: what is counted stays, ids become tokens. Twice is as good as once."""
    forget_personal(record)
    for block in record.blocks:
        block.reason = block.actor_email = None
    record.memberships = {tokens.of(name): membership for name, membership in record.memberships.items()}
    record.credits.history = [
        (stamp, _replace(bought, organization_id=bought.organization_id and tokens.of(bought.organization_id)))
        for stamp, bought in record.credits.history
    ]
    stripe = record.stripe
    stripe.customers = sorted(map(tokens.of, stripe.customers))
    stripe.pairs = []
    stripe.cards = {tokens.of(name): card for name, card in stripe.cards.items()}
    for card in stripe.cards.values():
        _efface_layers(card.said, tokens)
    for name in ("methods", "disputes", "warnings"):
        cases: dict[str, list[Layer]] = getattr(stripe, name)
        setattr(stripe, name, {tokens.of(case): layers for case, layers in cases.items()})
        for layers in cases.values():
            _efface_layers(layers, tokens)
    stripe.charges = [
        (
            stamp,
            _replace(charge, **{name: said and tokens.of(said) for name in _IDS for said in [getattr(charge, name)]}),
        )
        for stamp, charge in stripe.charges
    ]


def _efface_layers(layers: list[Layer], tokens: Tokens) -> None:
    for _, fields in layers:
        for name in fields.keys() & _PERSONAL:
            del fields[name]
        for name in fields.keys() & _IDS:
            value: Any = fields[name]
            fields[name] = tokens.of(value) if isinstance(value, str) else value
