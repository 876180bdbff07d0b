"""Flask-Login: whoever it signs in is reported.

```python
report_sign_ins(app, abuse, lambda user: {"kilo_user_id": user.get_id(), "email": user.email})
```
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, after_this_request
from flask_login import user_logged_in

from abuse_client.integrations.flask import FlaskAbuse

log: logging.Logger = logging.getLogger("abuse_client.flask")

_RECEIVER = "abuse_client.sign_ins"


def report_sign_ins(app: Flask, abuse: FlaskAbuse, fields: Callable[[Any], Mapping[str, Any] | None]) -> None:
    """Report each `flask_login.login_user` of an application, once its request is answered.

    ``fields`` says who a user is, by the contract's names: ``kilo_user_id`` and ``email``, and what else is known of
    him; ``None`` for one who is not to be reported. A session that goes on is no sign-in. Flask-Login tells nothing of
    a user who is not active and so not signed in: report his attempt by `FlaskAbuse.report_sign_in`.
    """

    def signed_in(_: Flask, *, user: Any, **__: Any) -> None:
        # What is wrong here must not end the sign-in.
        try:
            told = fields(user)
        except Exception:
            log.exception("a sign-in could not be reported")
            return
        if told is None:
            return

        @after_this_request
        def report(response: Response) -> Response:
            try:
                abuse.report_sign_in(**told)
            except Exception:
                log.exception("a sign-in could not be reported")
            return response

    # The application keeps what its signal holds weakly; a second call takes the place of the first.
    app.extensions[_RECEIVER] = signed_in
    user_logged_in.connect(signed_in, app)
