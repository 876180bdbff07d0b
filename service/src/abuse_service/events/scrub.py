"""An event without the person in it: what is counted, linked and judged by stays, tokens stand for the rest (0023)."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from abuse_client.contract import ContractError, parse_object
from abuse_service.events.entity import KIND_NAMES, EntityKey
from abuse_service.events.event import LIST_CHANGED, Event
from abuse_service.events.personal import BODIES, Kept, Shape
from abuse_service.events.stripe import is_webhook_id, kind_of_id
from abuse_service.events.tokens import Tokens, is_token

ERASED = "erased"
"""What stands where somebody wrote a text of his own about a person."""

_WORD = re.compile(r"[\w.:/+,()\[\] -]{1,128}")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Scrubber:
    """Takes persons out of events. To do it twice changes nothing more."""

    def __init__(self, tokens: Tokens, *, drops_tokens: bool = False) -> None:
        """With ``drops_tokens`` nothing stays by which equal values can be told, nor what an event links."""
        self.tokens = tokens
        self.drops_tokens = drops_tokens

    def scrub(self, event: Event) -> Event:
        """The same event at the same place in time, saying nothing of whom it is about.

        Its keys stay, so that a repeat is still one, and so do the entities that it names: they are hashes.
        """
        identity = name_erased(event.identity, event.identity_entity)
        return msgspec.structs.replace(
            event,
            identity=identity,
            body=self._scrub_list(event) if event.type == LIST_CHANGED else self._scrub_body(event),
            outcome=_scrub_outcome(event.outcome, identity) if event.outcome is not None else None,
            entities=() if self.drops_tokens else event.entities,
            joins=() if self.drops_tokens else event.joins,
        )

    def _scrub_body(self, event: Event) -> bytes:
        shape = BODIES.get(event.type)
        if shape is None:
            return b"{}"
        try:
            said = parse_object(event.body)
        except ContractError:
            return b"{}"
        return _encode(self._scrub_object(said, shape))

    def _scrub_list(self, event: Event) -> bytes:
        """A change of a list: in force as before, the entry told by its key."""
        body = self._scrub_object(_decode(event.body), BODIES[LIST_CHANGED])
        entry = event.entities[0] if event.entities else b""
        said = f"{KIND_NAMES.get(entry[:1], 'entry')}:{_erased_key(entry)}"
        return _encode({**body, "entry": said, "reason": ERASED})

    def _scrub_object(self, said: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
        kept = {name: self._scrub_value(said[name], rule) for name, rule in shape.items() if name in said}
        own = said.get("id")
        if is_webhook_id(own):
            # It names the message and no object; as a token it would be taken for an object's.
            kept["id"] = None
        if isinstance(own, str) and "object" in shape and "object" not in kept and (kind := kind_of_id(own)):
            # A Stripe object of which nothing but the beginning of its id says what it is.
            kept["object"] = kind
        return {name: kept[name] for name in shape if kept.get(name) is not None}

    def _scrub_value(self, value: Any, rule: Kept | Shape) -> Any:
        if isinstance(rule, Mapping):
            if isinstance(value, list):
                return [self._scrub_object(one, rule) for one in value if isinstance(one, dict)]
            if isinstance(value, dict):
                return self._scrub_object(value, rule)
            return _plain(value)
        if rule is Kept.PLAIN:
            return _plain(value)
        if rule is Kept.GONE:
            return None
        if isinstance(value, dict):
            # Stripe's expanded objects: the id stands for all of it.
            return {"id": self._scrub_value(value.get("id"), rule)} if value.get("id") else None
        if not isinstance(value, str) or not value:
            return None
        if self.drops_tokens:
            return "~"
        return self.tokens.of_mail(value) if rule is Kept.MAIL else self.tokens.of(value)


def name_erased(identity: str | None, entity: EntityKey | None) -> str | None:
    """The identity key of somebody who was erased: what kind he was, and his entity's key."""
    return f"{identity.partition(':')[0]}:{_erased_key(entity)}" if identity and entity else None


def is_erased_name(identity: str) -> bool:
    """Whether an identity key is that of somebody who was erased."""
    return is_token(identity.partition(":")[2])


def entity_of_erased(identity: str) -> EntityKey | None:
    """The entity behind such an identity key; ``None`` for every other."""
    said = identity.partition(":")[2]
    return b"u" + bytes.fromhex(said[1:]) if is_token(said) and len(said) == 33 else None


def _erased_key(entity: EntityKey) -> str:
    return f"~{entity[1:].hex()}"


def _plain(value: Any) -> Any:
    """Numbers, flags, and words; what may be a sentence, an address or a name with a sign in it goes."""
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return value if _WORD.fullmatch(value) else None
    if isinstance(value, list):
        return [one for one in value if isinstance(one, str) and _WORD.fullmatch(one)]
    return None


def _scrub_outcome(outcome: bytes, identity: str | None) -> bytes:
    """A decision as it was, of whomever; what people wrote in lists goes."""
    said = _decode(outcome)
    said["identity_key"] = identity or ""
    for entry in said.get("listed", ()):
        entry["reason"] = ERASED
    return _encode(said)
