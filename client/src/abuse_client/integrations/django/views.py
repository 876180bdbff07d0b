"""Requests of Django: where they come from, who signs in, and which views they reach."""

import asyncio
import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from abuse_client.contract import AuthEventType
from abuse_client.gateway.bodies import describe_llm_request
from abuse_client.gateway.facts import RequestFacts
from abuse_client.gateway.passage import Passage
from abuse_client.integrations.django.configuration import abuse
from abuse_client.integrations.django.transactions import report_auth_event_after_commit
from abuse_client.integrations.sign_ins import auth_event

log: logging.Logger = logging.getLogger("abuse_client.django")

View = Callable[..., Any]


def facts(request: HttpRequest) -> RequestFacts:
    """Where a request comes from, believed from trusted peers only."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    return abuse().trust.read(request.META.get("REMOTE_ADDR"), headers)


def guarded(view: View) -> View:
    """Let only judged LLM requests into a view; others are answered 403 or 429.

    The view finds its `Passage` as ``request.abuse_passage``. It may be a coroutine function.
    """
    if inspect.iscoroutinefunction(view):

        @functools.wraps(view)
        async def judged_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            user = await request.auser() if hasattr(request, "auser") else getattr(request, "user", None)
            passage = await asyncio.to_thread(_admit, request, user)
            if passage.refusal is not None:
                return _answer(passage)
            await asyncio.sleep(passage.ruling.wait_s)
            return await view(request, *args, **kwargs)

        return judged_async

    @functools.wraps(view)
    def judged(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        passage = _admit(request, getattr(request, "user", None), lingers=True)
        return _answer(passage) if passage.refusal is not None else view(request, *args, **kwargs)

    return judged


def report_sign_up(request: HttpRequest | None, user: Any, **fields: Any) -> None:
    """Report that an account was made, after the commit; allauth's are reported by themselves."""
    _report(AuthEventType.SIGNUP, request, user, fields)


def report_sign_in(request: HttpRequest | None, user: Any, **fields: Any) -> None:
    """Report that somebody signed in, after the commit; what `django.contrib.auth` signs in is reported by itself."""
    _report(AuthEventType.SIGNIN, request, user, fields)


def _admit(request: HttpRequest, user: Any, *, lingers: bool = False) -> Passage:
    ours = abuse()
    asked = describe_llm_request(request.body, facts(request), kilo_user_id=ours.user_id(user))
    passage = ours.guard.admit(asked, lingers=lingers)
    request.abuse_passage = passage
    return passage


def _answer(passage: Passage) -> HttpResponse:
    refusal = passage.refusal
    assert refusal is not None
    return HttpResponse(refusal.body, status=refusal.status, headers=refusal.headers)


def _report(kind: AuthEventType, request: HttpRequest | None, user: Any, fields: dict[str, Any]) -> None:
    # Signals call this in the middle of a sign-in: whatever is wrong here must not end it.
    try:
        email = getattr(user, user.get_email_field_name(), None)
        kilo_user_id = abuse().user_id(user)
        if not email or kilo_user_id is None:
            return  # the contract wants both
        known = {
            "account_created_at": _iso(getattr(user, "date_joined", None)),
            "is_admin": bool(getattr(user, "is_staff", False)),
        }
        seen = facts(request) if request is not None else None
        further = known | abuse().auth_fields(request, user) | fields
        payload = auth_event(kind, seen, kilo_user_id=kilo_user_id, email=email, **further)
        report_auth_event_after_commit(payload, using=user._state.db)
    except Exception:
        log.exception("a %s could not be reported", kind.value)


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment is not None else None
