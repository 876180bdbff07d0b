"""Flask: what the network says of a request, sign-ins, and views that only judged requests reach.

```python
abuse = FlaskAbuse(AbuseClient(), trust=trust("cloudflare", ["10.0.0.0/8"]), user_id=lambda: session.get("user_id"))


@app.post("/v1/chat/completions")
@abuse.guarded
def chat():
    passage = abuse.passage
```
"""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol

from flask import Response, current_app, g, request
from flask.typing import ResponseReturnValue

from abuse_client.contract import AuthEventType
from abuse_client.gateway.bodies import describe_llm_request
from abuse_client.gateway.facts import RequestFacts, Trust
from abuse_client.gateway.guard import Asks, Guard
from abuse_client.gateway.passage import Passage
from abuse_client.gateway.settings import GuardSettings
from abuse_client.integrations.reports import Reports
from abuse_client.integrations.sign_ins import auth_event

P = ParamSpec("P")


class Client(Asks, Reports, Protocol):
    """What is needed of `abuse_client.AbuseClient`."""


class FlaskAbuse:
    """The client, the guard and whose headers are believed, for the views of an application.

    ``user_id`` is asked within a request for the id of who is signed in.
    """

    def __init__(
        self,
        client: Client,
        *,
        user_id: Callable[[], str | None],
        trust: Trust | None = None,
        settings: GuardSettings | None = None,
    ) -> None:
        self.client = client
        self.guard: Guard = Guard(client, settings)
        self._user_id = user_id
        self._trust = trust or Trust()

    @property
    def passage(self) -> Passage:
        """What became of the request at hand, inside a guarded view."""
        passage: Passage = g.abuse_passage
        return passage

    def facts(self) -> RequestFacts:
        """Where the request at hand comes from, believed from trusted peers only."""
        # Werkzeug's ProxyFix replaces the peer by what a header says; the peer itself is what is trusted or not.
        environ = request.environ.get("werkzeug.proxy_fix.orig", request.environ)
        headers = {name.lower(): value for name, value in request.headers.items()}
        return self._trust.read(environ.get("REMOTE_ADDR"), headers)

    def guarded(self, view: Callable[P, Any]) -> Callable[P, ResponseReturnValue]:
        """Let only judged LLM requests into a view; others are answered 403 or 429."""

        @functools.wraps(view)
        def judged(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
            asked = describe_llm_request(request.get_data(), self.facts(), kilo_user_id=self._user_id())
            passage = self.guard.admit(asked)
            if passage.refusal is not None:
                return Response(passage.refusal.body, passage.refusal.status, passage.refusal.headers)
            g.abuse_passage = passage
            answer: ResponseReturnValue = current_app.ensure_sync(view)(*args, **kwargs)
            return answer

        return judged

    def report_sign_up(self, *, kilo_user_id: str, email: str, **fields: Any) -> None:
        """Report that an account was made; call it after the commit."""
        self._report(AuthEventType.SIGNUP, kilo_user_id, email, fields)

    def report_sign_in(self, *, kilo_user_id: str, email: str, **fields: Any) -> None:
        """Report that somebody signed in; the attempt of one whom the product blocks is reported too."""
        self._report(AuthEventType.SIGNIN, kilo_user_id, email, fields)

    def _report(self, kind: AuthEventType, user: str, email: str, fields: dict[str, Any]) -> None:
        self.client.report_auth_event(auth_event(kind, self.facts(), kilo_user_id=user, email=email, **fields))
