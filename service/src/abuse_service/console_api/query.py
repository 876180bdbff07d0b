"""What stands behind the ``?`` of a route: named parameters, each known, each once unless it may repeat."""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from abuse_service.errors import BadRequest

_LATEST_MS = 2**53 - 1
_MOST_FIELDS = 100


TEXT: Mapping[str, Any] = MappingProxyType({"type": "string"})


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter of a route, as it is read and as the API's document tells it."""

    name: str
    description: str
    schema: Mapping[str, Any] = TEXT
    may_repeat: bool = False


class Query:
    """The parameters that a request gives. Whatever is wrong is a `BadRequest` that names the parameter."""

    def __init__(self, text: str, known: Sequence[Parameter]) -> None:
        """Read ``text``, and refuse what no one of the known parameters takes."""
        try:
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
        except (ValueError, UnicodeDecodeError):
            raise BadRequest(f"expected at most {_MOST_FIELDS} parameters in UTF-8") from None
        by_name = {parameter.name: parameter for parameter in known}
        self._given: dict[str, list[str]] = {}
        for name, value in pairs:
            if name not in by_name:
                raise BadRequest(f"expected one of {', '.join(by_name) or 'no parameters'}", path=_shown(name))
            values = self._given.setdefault(name, [])
            if values and not by_name[name].may_repeat:
                raise BadRequest("expected it once", path=name)
            values.append(value)

    def all(self, name: str) -> list[str]:
        """Every value of a parameter, in their order."""
        return self._given.get(name, [])

    def one(self, name: str) -> str | None:
        """Its value."""
        values = self.all(name)
        return values[0] if values else None

    def size(self, name: str, *, default: int, most: int) -> int:
        """How many rows a page has."""
        text = self.one(name)
        if text is None:
            return default
        if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= most or len(text) > 9:
            raise BadRequest(f"expected a whole number from 1 to {most}", path=name)
        return int(text)

    def instant_ms(self, name: str) -> int | None:
        """An instant, epoch milliseconds: given so, or as ISO 8601, UTC where it names no offset."""
        text = self.one(name)
        if text is None:
            return None
        try:
            if text.isascii() and text.isdigit():
                at_ms = int(text[:20])
            else:
                instant = datetime.fromisoformat(text)
                at_ms = int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp() * 1000)
        except (ValueError, OverflowError):
            at_ms = -1
        if not 0 <= at_ms <= _LATEST_MS:
            raise BadRequest("expected epoch milliseconds, or ISO 8601 such as 2026-01-31T12:00:00Z", path=name)
        return at_ms

    def flag(self, name: str) -> bool | None:
        """``true`` or ``false``."""
        text = self.one(name)
        if text not in (None, "true", "false"):
            raise BadRequest("expected true or false", path=name)
        return None if text is None else text == "true"

    def cursor(self, name: str, size: int) -> bytes | None:
        """Where a page before this one ended, as that page said."""
        text = self.one(name)
        if text is None:
            return None
        try:
            place = base64.b64decode(text, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            place = b""
        if len(place) != size:
            raise BadRequest("expected the `next` of a page, as it was given", path=name)
        return place


def cursor_of(place: bytes | None) -> str | None:
    """A place as the `next` of a page."""
    return None if place is None else base64.urlsafe_b64encode(place).decode()


def _shown(name: str) -> str:
    """A name that somebody made up, unless it may be a person's."""
    return name if re.fullmatch("[a-z_]{1,32}", name) else "?"
