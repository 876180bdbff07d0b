"""Whether a body that tells of nobody whom we know speaks of certain persons, such as those who were erased (0023)."""

import itertools
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from abuse_client.contract import ContractError, known_user, parse_object
from abuse_service.enrichment.mail import read_mail
from abuse_service.enrichment.network import read_address
from abuse_service.events.entity import EntityKey, EntityKind, EntityNamer, StripeKind
from abuse_service.events.stripe import kind_of_id

_LONGEST = 1024
_MOST_NAMES = 10_000
_SHORTEST_WORD = 4
"""A shorter id is looked for as a whole text only: among words it says too little."""
_WORD = re.compile(r"""[^\s<>"'(),;\[\]{}|=&?\\]+""")
_ADDRESS = re.compile(r"[0-9a-fA-F.:]+")


class Mentions:
    """Looks for ids and addresses of persons, each by its keyed hash: those of the erased are nowhere in the clear."""

    def __init__(
        self,
        namer: EntityNamer,
        is_one: Callable[[EntityKey], bool],
        members: Callable[[EntityKey], Collection[EntityKey]],
        owners: Callable[[EntityKey], Collection[EntityKey]],
    ) -> None:
        """``is_one`` tells whether an identity is one of them.

        ``members`` says who is known by a mailbox or an address, ``owners`` who claims a Stripe id.
        """
        self._namer = namer
        self._is_one = is_one
        self._members = members
        self._owners = owners

    def speaks_of_them(self, body: bytes) -> bool:
        """Whether a text in the body, or a word of one, is a user id, mailbox, address or Stripe id of theirs."""
        try:
            said: Any = parse_object(b'{"":' + body + b"}")
        except ContractError:
            said = body.decode(errors="replace")
        return any(map(self._is_theirs, itertools.islice(_names(said), _MOST_NAMES)))

    def _is_theirs(self, name: str) -> bool:
        user = known_user(name) or name.strip()
        if user and self._is_one(self._namer.identity(f"user:{user}")):
            return True
        kind = kind_of_id(name)
        if kind is not None:
            return self._are_theirs(self._owners(self._namer.key(StripeKind[kind.upper()], name)))
        if "@" in name:
            mail = read_mail(name)
            return mail is not None and self._are_known_by(EntityKind.MAILBOX, mail.mailbox)
        address = read_address(name) if _ADDRESS.fullmatch(name) else None
        return address is not None and self._are_known_by(EntityKind.IP, address.ip)

    def _are_known_by(self, kind: EntityKind, value: str) -> bool:
        return self._are_theirs(self._members(self._namer.key(kind, value)))

    def _are_theirs(self, identities: Collection[EntityKey]) -> bool:
        return bool(identities) and all(map(self._is_one, identities))


def _names(said: Any) -> Iterator[str]:
    """Whatever may be a name in a JSON value: its texts, and the words in them."""
    for text in _texts(said):
        if 0 < len(text) <= _LONGEST:
            yield text
        for found in _WORD.finditer(text):
            word = found[0].strip(".:!")
            if word != text and _SHORTEST_WORD <= len(word) <= _LONGEST:
                yield word
            kind, _, rest = word.partition(":")
            if rest and kind in ("user", "mailto"):
                yield rest


def _texts(said: Any) -> Iterator[str]:
    """The texts in a JSON value, names of fields included, and the numbers that a field says to be ids."""
    waiting = [said]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting.extend(one.keys())
            waiting.extend(
                str(value) if name.endswith("id") and type(value) is int else value for name, value in one.items()
            )
        elif isinstance(one, list):
            waiting.extend(one)
