"""What features read must be there: events that come, and fields that those have."""

import functools
import re
from collections.abc import Collection, Iterator, Mapping

from abuse_service.cel.program import Kind
from abuse_service.cel.vocabulary import Expression, Vocabulary
from abuse_service.errors import PolicyError
from abuse_service.events.content import EVENT_FIELDS
from abuse_service.events.personal import Kept, fields_of
from abuse_service.features.declaration import Aggregate, Declaration

EVENT_VOCABULARY = Vocabulary({"event": Kind.MAP, "facts": Kind.MAP, "event_type": Kind.STRING})
"""What ``where``, ``matching`` and ``value`` may name."""

VALUES_BESIDE = frozenset({"identity", "occurred_at"})
"""Values that are no CEL: whose event it is, and when it happened."""

PROMPTS = frozenset({"user_prompt", "system_prompt"})
"""Fields whose text is never kept (0018): a token stands in their place, which tells equal prompts from others."""

_DOMAINS = frozenset({'event.email.split("@")[1]', "event.email.split('@')[1]"})
"""The part of an address that its token tells by itself."""


def check_reads(declarations: Mapping[str, Declaration], further_types: Collection[str]) -> None:
    """Refuse features over events that never come, or over fields that those do not have.

    ``further_types`` are types beyond the known ones; what they hold is not known and not checked. Raises
    `PolicyError` that names the place.
    """
    for name, said in declarations.items():
        for event_type in said.events:
            if event_type not in EVENT_FIELDS and event_type not in further_types:
                raise PolicyError(
                    f"{event_type} is no known type of event; if your cloud sends it, name it in event_types",
                    path=f"features.{name}.events",
                )
        _check_personal(name, said)
        if set(said.events) <= EVENT_FIELDS.keys():
            _check_fields(name, said)


def fields_read(said: Declaration) -> frozenset[str]:
    """The fields of its events that a feature may read."""
    found = [_fields_of(text) for _, text in _texts(said)]
    if None in found:
        return frozenset[str]().union(*(EVENT_FIELDS.get(event_type, ()) for event_type in said.events))
    return frozenset[str]().union(*(fields for fields in found if fields is not None))


@functools.lru_cache(maxsize=5_000)
def _fields_of(text: str) -> frozenset[str] | None:
    """The fields that an expression reads; ``None`` for all that there are."""
    fields = [use.field for use in _compile(text, "").fields("event")]
    return None if None in fields else frozenset(field for field in fields if field is not None)


def _texts(said: Declaration) -> Iterator[tuple[str, str]]:
    for key, text in (("value", said.value), ("where", said.where), ("matching", said.matching)):
        if text is not None and text not in VALUES_BESIDE:
            yield key, text


def _compile(text: str, path: str) -> Expression:
    return EVENT_VOCABULARY.compile(text, path, condition=False)


def _check_personal(name: str, said: Declaration) -> None:
    """Refuse to read what an erasure takes (0023): a feature says the same before and after it."""
    for key, text in _texts(said):
        path = f"features.{name}.{key}"
        expression = _compile(text, path)
        is_top = key == "value" and said.aggregate is Aggregate.TOP
        for use in expression.fields("event"):
            if use.field is None:
                if is_top:
                    raise expression.error_at("top names its field, as in event.model", use.at, path, through="event")
                continue
            kept = _kept_as(said, use.field)
            if kept <= {Kept.PLAIN}:
                continue
            if is_top:
                fault = f"top keeps values as they are, and {use.field} is personal; count it with distinct"
            elif Kept.GONE not in kept and _is_told_apart_only(key, text, said, use.field):
                continue
            elif use.field in PROMPTS:
                fault = f"prompts are never kept, so {use.field} can be counted with distinct and not read"
            elif Kept.GONE in kept:
                fault = f"{use.field} is personal and goes with an erasure, so no feature reads it"
            else:
                fault = f"{use.field} is personal: its values can be counted with distinct, and not read"
            raise expression.error_at(fault, use.at, path, through=use.field)


def _kept_as(said: Declaration, field: str) -> set[Kept]:
    """As what a field of a feature's events outlives an erasure; a shape is personal."""
    shapes = [fields_of(event_type) or {} for event_type in said.events]
    rules = [shape[field] for shape in shapes if field in shape]
    return {rule if isinstance(rule, Kept) else Kept.GONE for rule in rules}


def _is_told_apart_only(key: str, text: str, said: Declaration, field: str) -> bool:
    """Whether an expression only asks if a value is there, or takes it whole to be counted."""
    if key == "value" and said.aggregate is Aggregate.DISTINCT:
        return text.strip() == f"event.{field}" or text.strip() in _DOMAINS
    uses = [use for use in _compile(text, "").fields("event") if use.field == field]
    return len(re.findall(rf"\bhas\(\s*event\.{field}\s*\)", text)) == len(uses)


def _check_fields(name: str, said: Declaration) -> None:
    fields = frozenset[str]().union(*(EVENT_FIELDS[event_type] for event_type in said.events))
    for key, text in _texts(said):
        path = f"features.{name}.{key}"
        expression = _compile(text, path)
        for use in expression.fields("event"):
            if use.field is not None and use.field not in fields:
                fault = f"none of its events has a field {use.field}"
                raise expression.error_at(fault, use.at, path, through=use.field)
