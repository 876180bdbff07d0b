"""Who is asking: a signed session, in a cookie or as a bearer token."""

from typing import Annotated

from fastapi import Depends, Response
from starlette.requests import HTTPConnection

from cloud.accounts.models import User
from cloud.context import Cloud, Context
from cloud.errors import AccountBlocked, Forbidden, InvalidToken, NotSignedIn
from cloud.tokens import Purpose

COOKIE = "cloud_session"


def start_session(cloud: Cloud, user_id: str) -> str:
    """Return the token of a new session."""
    return cloud.signer.sign(Purpose.SESSION, user_id)


def set_session_cookie(cloud: Cloud, response: Response, token: str) -> None:
    """Leave the session with the browser, out of the reach of scripts and of other sites."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=cloud.settings.session_seconds,
        httponly=True,
        samesite="lax",
        secure=cloud.settings.public_url.startswith("https:"),
    )


def session_token(connection: HTTPConnection) -> str | None:
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else connection.cookies.get(COOKIE)


def find_user(cloud: Cloud, connection: HTTPConnection) -> User | None:
    """Return the user of the session, blocked or not; `None` when the request brings no session.

    A session that is forged, has expired or belongs to a deleted account raises `NotSignedIn`.
    """
    token = session_token(connection)
    if token is None:
        return None
    try:
        user_id = cloud.signer.read(Purpose.SESSION, token, cloud.settings.session_seconds)
    except InvalidToken:
        raise NotSignedIn from None
    with cloud.database.reading() as session:
        user = session.get(User, user_id)
    if user is None or user.deleted_at is not None:
        raise NotSignedIn
    return user


def require_user(connection: HTTPConnection, cloud: Context) -> User:
    """Return the signed-in user; a blocked one may do nothing."""
    user = find_user(cloud, connection)
    if user is None:
        raise NotSignedIn
    if user.blocked_at is not None:
        raise AccountBlocked
    return user


SignedIn = Annotated[User, Depends(require_user)]


def require_admin(user: SignedIn) -> User:
    if not user.is_admin:
        raise Forbidden("this needs an administrator")
    return user


Admin = Annotated[User, Depends(require_admin)]
