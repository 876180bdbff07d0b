"""What Stripe answers when it does not do what it was asked."""

from typing import Any

Json = dict[str, Any]


class Fault(Exception):
    """An answer that is an error, in Stripe's words."""

    def __init__(self, status: int, kind: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"error": {"type": kind, "message": message} | more}


def invalid(message: str, *, status: int = 400, **more: Any) -> Fault:
    return Fault(status, "invalid_request_error", message, **more)


def missing(kind: str, found_id: str) -> Fault:
    return invalid(f"No such {kind}: '{found_id}'", status=404, code="resource_missing", param="id")
