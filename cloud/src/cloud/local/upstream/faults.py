"""What the provider does wrong when a request asks for it, by the field `fault` of its body."""

import enum
from collections.abc import Mapping
from typing import Any


class Fault(enum.StrEnum):
    """One way to fail."""

    RATE_LIMIT = "rate_limit"
    """429 with `Retry-After`, in the API's own shape."""
    SERVER_ERROR = "server_error"
    """500 in the API's own shape."""
    KEY_REFUSED = "key_refused"
    """401, as for a key that was withdrawn."""
    GARBAGE = "garbage"
    """200 and a page that is no answer."""
    CUT = "cut"
    """The connection ends in the middle of the answer."""


STATUSES = {Fault.RATE_LIMIT: 429, Fault.SERVER_ERROR: 500, Fault.KEY_REFUSED: 401}
RETRY_AFTER_SECONDS = 7


def fault_in(body: Mapping[str, Any]) -> Fault | None:
    """Return the fault that the request asks for."""
    asked = body.get("fault")
    return Fault(asked) if asked in list(Fault) else None
