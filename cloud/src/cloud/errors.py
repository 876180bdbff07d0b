"""Why the cloud refuses a request.

CloudError
├── NotSignedIn           401
├── Forbidden             403
│   ├── AccountBlocked    403
│   ├── CrossSite         403
│   └── EmailUnverified   403
├── CardDeclined          402
├── NotFound              404
├── Conflict              409
├── Invalid               400
│   ├── InvalidToken      400
│   ├── InvalidState      400
│   ├── SignInRefused     400
│   └── InvalidSignature  400
├── ProviderUnavailable   502
└── PaymentsUnavailable   503
"""

from fastapi.responses import JSONResponse


class CloudError(Exception):
    """the request cannot be answered"""

    status = 500
    code = "internal_error"

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class NotSignedIn(CloudError):
    """found no valid session, expected a session cookie or a bearer token; ask for a sign-in link first"""

    status = 401
    code = "not_signed_in"


class Forbidden(CloudError):
    """the account may not do this"""

    status = 403
    code = "forbidden"


class AccountBlocked(Forbidden):
    """the account is blocked; write to support to appeal"""

    code = "account_blocked"


class CrossSite(Forbidden):
    """found a request that another site's page has sent, expected one of this site's own address"""

    code = "cross_site"


class EmailUnverified(Forbidden):
    """the provider has not verified the address; verify it there, or ask for a sign-in link"""

    code = "email_unverified"


class CardDeclined(CloudError):
    """the card was declined"""

    status = 402
    code = "card_declined"


class PaymentsUnavailable(CloudError):
    """the payment provider does not answer; try again"""

    status = 503
    code = "payments_unavailable"


class NotFound(CloudError):
    """no such thing"""

    status = 404
    code = "not_found"


class Conflict(CloudError):
    """the present state does not allow this"""

    status = 409
    code = "conflict"


class Invalid(CloudError):
    """the request is malformed"""

    status = 400
    code = "invalid_request"


class InvalidToken(Invalid):
    """the link is not valid: forged, expired or used already; ask for a new one"""

    code = "invalid_token"


class InvalidState(Invalid):
    """this sign-in was not begun in this browser, took too long, or ended already; begin anew"""

    code = "invalid_state"


class SignInRefused(Invalid):
    """the provider did not confirm who you are; begin anew"""

    code = "sign_in_refused"


class ProviderUnavailable(CloudError):
    """the provider does not answer as it should; try again, or ask for a sign-in link"""

    status = 502
    code = "provider_unavailable"


class InvalidSignature(Invalid):
    """found no valid signature in the header Stripe-Signature"""

    code = "invalid_signature"


def error_response(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer in the one shape that all routes share, which is OpenAI's too."""
    return JSONResponse({"error": {"code": code, "message": message, "type": code}}, status, headers)
