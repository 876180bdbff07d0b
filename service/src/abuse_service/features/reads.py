"""What features read must be there: events that come, and fields that those have."""

import re
from collections.abc import Collection, Mapping

from abuse_service.errors import PolicyError
from abuse_service.events.content import EVENT_FIELDS
from abuse_service.features.declaration import Aggregate, Declaration

_FIELD = re.compile(r"\bevent\.(\w+)")

_PERSONAL = frozenset(
    {
        "actor_email",
        "email",
        "geo_latitude",
        "geo_longitude",
        "ip_address",
        "kilo_user_id",
        "previous_email",
        "signup_ip",
        "subject",
        "system_prompt",
        "user_agent",
        "user_prompt",
    }
)
"""Fields that no state may hold in the clear (decision 6): their values can be counted, not named."""


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
        if said.aggregate is Aggregate.TOP:
            _check_personal(name, said.value or "")
        if set(said.events) <= EVENT_FIELDS.keys():
            _check_fields(name, said)


def _check_personal(name: str, value: str) -> None:
    for field in _FIELD.findall(value):
        if field in _PERSONAL:
            raise PolicyError(
                f"top keeps values as they are, and {field} is personal; count it with distinct",
                path=f"features.{name}.value",
            )
    if re.search(r"\bevent\b(?!\.\w)", value):
        raise PolicyError("top names its field, as in event.model", path=f"features.{name}.value")


def _check_fields(name: str, said: Declaration) -> None:
    fields = frozenset[str]().union(*(EVENT_FIELDS[event_type] for event_type in said.events))
    for key in ("value", "where", "matching"):
        for field in _FIELD.findall(getattr(said, key) or ""):
            if field not in fields:
                raise PolicyError(f"none of its events has a field {field}", path=f"features.{name}.{key}")
