"""What the service says when it can't do what was asked.

ServiceError
├── Unauthorized        401  no token, or a wrong one
├── Forbidden           403  the token lacks a scope
├── NotFound            404  nothing under that name
├── TooLarge            413  a body or a batch above its limit
├── BadRequest          400  the bytes are not what the route takes
├── Unprocessable       422  a required field is missing or wrong
├── StorageUnavailable  503  the disk takes no more; nothing was acknowledged
├── PolicyError              a policy file does not hold together
├── DirectoryInUse           another process owns the data directory
└── RefusedToStart           the settings do not go together
"""


class ServiceError(Exception):
    """The service can't do what was asked."""

    status = 500
    code = "internal"

    def __init__(self, message: str | None = None, *, path: str | None = None) -> None:
        super().__init__(message or type(self).__doc__ or "")
        self.message = str(self)
        self.path = path


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
    """the policy does not hold together"""


class DirectoryInUse(ServiceError):
    """another process owns the data directory"""


class RefusedToStart(ServiceError):
    """the settings do not go together"""
