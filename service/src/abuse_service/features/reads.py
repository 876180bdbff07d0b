"""What features read must be there: events that come, and fields that those have."""

import re
from collections.abc import Collection, Mapping

from abuse_service.errors import PolicyError
from abuse_service.events.content import EVENT_FIELDS
from abuse_service.features.declaration import Declaration

_FIELD = re.compile(r"\bevent\.(\w+)")


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
        if set(said.events) <= EVENT_FIELDS.keys():
            _check_fields(name, said)


def _check_fields(name: str, said: Declaration) -> None:
    fields = frozenset[str]().union(*(EVENT_FIELDS[event_type] for event_type in said.events))
    for key in ("value", "where", "matching"):
        for field in _FIELD.findall(getattr(said, key) or ""):
            if field not in fields:
                raise PolicyError(f"none of its events has a field {field}", path=f"features.{name}.{key}")
