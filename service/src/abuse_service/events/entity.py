"""Entities: the keys that events share. Behind intake one is a keyed hash, never a personal value (decision 6)."""

import enum
import hashlib
from collections.abc import Iterable

from abuse_service.events.keys import EventKeys
from abuse_service.events.tokens import Tokens

HASH_BYTES = 16

EntityKey = bytes
"""One letter for the kind and 16 bytes of keyed BLAKE2b over the value."""


class EntityKind(enum.Enum):
    """Kinds of entity, each with the letter that starts its key."""

    USER = b"u"
    ORGANIZATION = b"o"
    IP = b"i"
    NETWORK = b"n"
    JA4 = b"j"
    NETWORK_JA4 = b"k"
    AGENT = b"a"
    FINGERPRINT = b"f"
    DEVICE = b"d"
    CARD = b"c"
    MAILBOX = b"m"
    EMAIL_DOMAIN = b"e"
    CUSTOMER = b"s"
    TEMPLATE = b"t"


class StripeKind(enum.Enum):
    """Kinds of Stripe objects by whose ids events are joined to their users; a customer is an entity as well."""

    CUSTOMER = b"s"
    CHARGE = b"h"
    PAYMENT_INTENT = b"p"
    PAYMENT_METHOD = b"y"
    INVOICE = b"v"
    SUBSCRIPTION = b"b"


STRONG_KINDS = frozenset(
    kind.value for kind in (EntityKind.DEVICE, EntityKind.CARD, EntityKind.MAILBOX, EntityKind.CUSTOMER)
)
"""Letters of the kinds that link two identities by themselves; every other kind only weighs (decision 5)."""

_KINDS: tuple[EntityKind | StripeKind, ...] = (*EntityKind, *StripeKind)
KIND_NAMES: dict[bytes, str] = {kind.value: kind.name.lower() for kind in _KINDS}

_MAX_CACHED = 20_000


class EntityNamer:
    """Turns personal values into entity keys with one secret of the data directory, which keys all other hashes too."""

    def __init__(self, secret: bytes) -> None:
        self.tokens = Tokens(secret)
        self.event_keys = EventKeys(secret)
        # Keyed once and copied for each value: that takes two thirds of the time.
        self._keyed = {kind: hashlib.blake2b(digest_size=HASH_BYTES, key=secret, person=kind.value) for kind in _KINDS}
        self._by_name = {kind.name.lower(): kind for kind in StripeKind}
        self._known: dict[tuple[EntityKind | StripeKind, str], EntityKey] = {}

    def key(self, kind: EntityKind | StripeKind, value: str) -> EntityKey:
        """The key of ``value``: the same for equal kind and value, and not to be turned back without the secret."""
        key = self._known.get((kind, value))
        if key is None:
            key = self._hash(kind, value)
            if len(self._known) >= _MAX_CACHED:
                self._known.clear()
            self._known[kind, value] = key
        return key

    def joins(self, ids: Iterable[str]) -> tuple[EntityKey, ...]:
        """The keys of Stripe ids such as ``charge:ch_1``."""
        kinds, hash_value = self._by_name, self._hash
        split = [said.partition(":") for said in ids]
        # Most are seen once or twice: remembered they would push out what is asked for again.
        return tuple([hash_value(kinds[kind], value) for kind, _, value in split])

    def identity(self, identity_key: str) -> EntityKey:
        """The key of an identity, by its identity key (``user:…`` or ``fingerprint:…``)."""
        return self.key(EntityKind.USER, identity_key)

    def _hash(self, kind: EntityKind | StripeKind, value: str) -> EntityKey:
        hasher = self._keyed[kind].copy()
        hasher.update(value.encode())
        letter: bytes = kind.value
        return letter + hasher.digest()
