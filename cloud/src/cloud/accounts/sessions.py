"""Who is asking: a signed session that this side can end, in a cookie for pages or as a bearer token for the API."""

import enum
from datetime import timedelta
from typing import Annotated
from uuid import uuid4

from fastapi import Depends, Response
from sqlalchemy import delete, select
from starlette.requests import HTTPConnection

from cloud.accounts.cross_site import refuse_cross_site
from cloud.accounts.models import User, UserSession
from cloud.context import Cloud, Context
from cloud.errors import AccountBlocked, Forbidden, InvalidToken, NotSignedIn
from cloud.tokens import Purpose
from cloud.transactions import Work

COOKIE = "cloud_session"


class Kind(enum.StrEnum):
    """Where a session is shown; a token of one kind is worthless in the other's place."""

    PAGE = "page"
    API = "api"


PURPOSES = {Kind.PAGE: Purpose.SESSION, Kind.API: Purpose.API}


def start_session(cloud: Cloud, user_id: str, kind: Kind) -> str:
    """Return the token of a new session, and let go of the user's expired ones."""
    with cloud.transaction() as work:
        expired = work.now - timedelta(seconds=cloud.settings.session_seconds)
        own = delete(UserSession).where(UserSession.user_id == user_id)
        work.session.execute(own.where(UserSession.started_at < expired))
        row = UserSession(id=uuid4().hex, user_id=user_id, kind=kind.value, started_at=work.now)
        work.session.add(row)
        return cloud.signer.sign(PURPOSES[kind], row.id)


def end_session(cloud: Cloud, connection: HTTPConnection) -> None:
    """End the session that the request brings; without one nothing happens."""
    session_id = read_session(cloud, connection)
    if session_id is not None:
        with cloud.transaction() as work:
            work.session.execute(delete(UserSession).where(UserSession.id == session_id))


def end_sessions(work: Work, user_id: str, *kinds: Kind) -> None:
    """End the user's sessions of these kinds."""
    own = delete(UserSession).where(UserSession.user_id == user_id)
    work.session.execute(own.where(UserSession.kind.in_([kind.value for kind in kinds])))


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


def read_session(cloud: Cloud, connection: HTTPConnection) -> str | None:
    """Return the id in the request's token; `None` without a token. A forged or expired one raises `NotSignedIn`.

    A cookie comes along with whatever page sends the request, so it counts on this site's own requests only.
    """
    scheme, _, bearer = connection.headers.get("authorization", "").partition(" ")
    cookie = connection.cookies.get(COOKIE)
    try:
        if scheme.lower() == "bearer":
            return cloud.signer.read(Purpose.API, bearer.strip(), cloud.settings.session_seconds)
        if cookie is None:
            return None
        refuse_cross_site(connection, cloud.settings.public_url, must_say=True)
        return cloud.signer.read(Purpose.SESSION, cookie, cloud.settings.session_seconds)
    except InvalidToken:
        raise NotSignedIn from None


def find_user(cloud: Cloud, connection: HTTPConnection) -> User | None:
    """Return the user of the session, blocked or not; `None` when the request brings no session.

    A session that is forged, has expired or has ended, and one of a deleted account, raises `NotSignedIn`.
    """
    session_id = read_session(cloud, connection)
    if session_id is None:
        return None
    living = select(User).join(UserSession, UserSession.user_id == User.id)
    with cloud.database.reading() as session:
        user = session.scalars(living.where(UserSession.id == session_id, User.deleted_at.is_(None))).one_or_none()
    if user is None:
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
