"""Signed tokens for links and sessions: what they say can be read by all and changed by nobody."""

import enum

from itsdangerous import BadData, URLSafeTimedSerializer

from cloud.errors import InvalidToken


class Purpose(enum.StrEnum):
    """What a token is good for; a token of one purpose is worthless for another."""

    SIGN_IN = "sign-in"
    EMAIL_CHANGE = "e-mail-change"
    INVITATION = "invitation"
    SESSION = "session"
    API = "api"
    NOTICE = "notice"


class Signer:
    """Signs and reads tokens with the cloud's secret key."""

    def __init__(self, secret_key: str) -> None:
        self._secret_key = secret_key

    def sign(self, purpose: Purpose, subject: str) -> str:
        return str(self._serializer(purpose).dumps(subject))

    def read(self, purpose: Purpose, token: str, max_age_seconds: int) -> str:
        """Return the subject that was signed, or raise `InvalidToken`."""
        try:
            return str(self._serializer(purpose).loads(token, max_age=max_age_seconds))
        except BadData:
            raise InvalidToken from None

    def _serializer(self, purpose: Purpose) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(self._secret_key, salt=purpose.value)
