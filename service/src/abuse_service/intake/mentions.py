"""Whether a body that could not be read as an event speaks of certain persons, such as those who were erased (0023)."""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from abuse_client.contract import ContractError, known_user, parse_object
from abuse_service.enrichment.mail import read_mail
from abuse_service.events.entity import EntityKey, EntityKind, EntityNamer, StripeKind
from abuse_service.events.stripe import kind_of_id

_LONGEST = 1024
_MOST_TEXTS = 10_000


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

        ``members`` says who is known by a mailbox, ``owners`` who claims a Stripe id.
        """
        self._namer = namer
        self._is_one = is_one
        self._members = members
        self._owners = owners

    def speaks_of_them(self, body: bytes) -> bool:
        """Whether some text in the body is a user id, mailbox or Stripe id of theirs. What is no JSON says nothing."""
        try:
            said = parse_object(body)
        except ContractError:
            return False
        return any(self._is_theirs(text) for text in _texts(said) if 0 < len(text) <= _LONGEST)

    def _is_theirs(self, text: str) -> bool:
        user = known_user(text) or text.strip()
        if user and self._is_one(self._namer.identity(f"user:{user}")):
            return True
        kind = kind_of_id(text)
        if kind is not None:
            return self._are_theirs(self._owners(self._namer.key(StripeKind[kind.upper()], text)))
        mail = read_mail(text) if "@" in text else None
        return mail is not None and self._are_theirs(self._members(self._namer.key(EntityKind.MAILBOX, mail.mailbox)))

    def _are_theirs(self, identities: Collection[EntityKey]) -> bool:
        return bool(identities) and all(map(self._is_one, identities))


def _texts(said: Any) -> Iterator[str]:
    """The texts in a JSON value, names of fields included, as many as a look is worth."""
    waiting, found = [said], 0
    while waiting and found < _MOST_TEXTS:
        one = waiting.pop()
        if isinstance(one, str):
            found += 1
            yield one
        elif isinstance(one, dict):
            waiting.extend(one.keys())
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)
