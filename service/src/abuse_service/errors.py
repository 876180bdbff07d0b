"""What the service says when it can't do what was asked.

ServiceError
├── Unauthorized        401  no token, or a wrong one
├── Forbidden           403  the token lacks a scope
├── NotFound            404  nothing under that name
├── TooLarge            413  a body or a batch above its limit
├── UnsupportedCoding   415  a body compressed by something else than gzip
├── BadRequest          400  the bytes are not what the route takes
├── Unprocessable       422  a required field is missing or wrong
├── StorageUnavailable  503  the disk takes no more; nothing was acknowledged
├── PolicyError         422  a policy file does not hold together
│   └── ExpressionError      an expression in it is no CEL, of a wrong type, or may cost too much
├── DirectoryInUse           another process owns the data directory
└── RefusedToStart           the settings do not go together
"""

import re
from typing import Any

_PLACE = re.compile(r"(?P<file>.*?)(?::(?P<line>\d+):(?P<column>\d+))?", re.DOTALL)


class ServiceError(Exception):
    """The service can't do what was asked."""

    status = 500
    code = "internal"

    def __init__(self, message: str | None = None, *, path: str | None = None) -> None:
        super().__init__(message or type(self).__doc__ or "")
        self.message = str(self)
        self.path = path

    def view(self) -> dict[str, Any]:
        """The one JSON shape of an error; ``details`` are there where more is known than a sentence says."""
        shape: dict[str, Any] = {"code": self.code, "message": self.message, "path": self.path}
        return shape | {"details": details} if (details := self.details) else shape

    @property
    def details(self) -> dict[str, Any]:
        """What more is known; empty for most."""
        return {}


class Unauthorized(ServiceError):
    """a service token is required: CF-Access-Client-Id and CF-Access-Client-Secret"""

    status, code = 401, "unauthorized"


class Forbidden(ServiceError):
    """the service token lacks the scope for this"""

    status, code = 403, "forbidden"


class NotFound(ServiceError):
    """nothing is known under that name"""

    status, code = 404, "not_found"


class MethodNotAllowed(ServiceError):
    """the route does not take this method"""

    status, code = 405, "method_not_allowed"


class TooLarge(ServiceError):
    """the body is above the limit of its route"""

    status, code = 413, "too_large"


class UnsupportedCoding(ServiceError):
    """the body's content-encoding is not known; expected gzip, or none"""

    status, code = 415, "unsupported_coding"


class BadRequest(ServiceError):
    """the body is not what the route takes"""

    status, code = 400, "bad_request"


class Unprocessable(ServiceError):
    """a required field is missing or wrong"""

    status, code = 422, "invalid_field"


class StorageUnavailable(ServiceError):
    """the data directory takes no more writes at the moment; nothing was acknowledged, send it again"""

    status, code = 503, "storage_unavailable"


class PolicyError(ServiceError):
    """the policy does not hold together

    ``place`` is file, line and column, ``picture`` the line with the spot marked, where they are known.
    """

    status, code = 422, "invalid_policy"

    def __init__(
        self, message: str | None = None, *, path: str | None = None, place: str = "", picture: str = ""
    ) -> None:
        super().__init__(message, path=path)
        self.place = place
        self.picture = picture

    @property
    def details(self) -> dict[str, Any]:
        """File, line and column, and as ``text`` the line with the spot marked, where they are known."""
        if not self.place:
            return {}
        found = _PLACE.fullmatch(self.place)
        assert found is not None
        line, column = (int(found[name]) if found[name] else None for name in ("line", "column"))
        return {"file": found["file"], "line": line, "column": column, "text": self.picture}

    def told(self) -> str:
        """The mistake as a compiler shows it."""
        where = ": ".join(part for part in (self.place, self.path) if part)
        return "\n".join(part for part in (where, self.message, self.picture) if part)


class ExpressionError(PolicyError):
    """an expression does not hold together

    ``line`` and ``column`` count from 1 within the expression; they are ``None`` where no spot is to blame. ``fault``
    is the sentence alone, and the message is that with a picture of the spot. ``found``, ``expected`` and ``nearest``
    (a name that may have been meant) say what the sentence says, where they are known.
    """

    def __init__(
        self,
        fault: str,
        *,
        path: str | None = None,
        text: str = "",
        line: int | None = None,
        column: int | None = None,
        length: int = 1,
        found: str | None = None,
        expected: str | None = None,
        nearest: str | None = None,
    ) -> None:
        self.fault = fault
        self.line, self.column, self.length = line, column, length
        self.found, self.expected, self.nearest = found, expected, nearest
        picture = ""
        if line is not None and column is not None:
            lines = text.split("\n")
            shown = lines[line - 1] if line <= len(lines) else ""
            picture = f"\n | {shown}\n | {'.' * (column - 1)}{'^' * length}"
        super().__init__(fault + picture, path=path)


class DirectoryInUse(ServiceError):
    """another process owns the data directory"""


class RefusedToStart(ServiceError):
    """the settings do not go together"""
