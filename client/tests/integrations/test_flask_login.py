"""Flask-Login: sign-ins are reported where the library announces them."""

import pytest

from abuse_client.gateway import trust
from abuse_client.testing import RecordingClient

flask = pytest.importorskip("flask")
flask_login = pytest.importorskip("flask_login")

from abuse_client.integrations.flask import FlaskAbuse  # noqa: E402
from abuse_client.integrations.flask_login import report_sign_ins  # noqa: E402

EDGE = {"cf-connecting-ip": "192.0.2.7", "cf-ja4": "t13d", "user-agent": "agent/1"}


class User(flask_login.UserMixin):
    def __init__(self, name, is_active=True):
        self.id = name
        self.email = f"{name}@example.com"
        self._is_active = is_active

    @property
    def is_active(self):
        return self._is_active


def described(user):
    return {"kilo_user_id": user.get_id(), "email": user.email, "auth_method": "password"}


@pytest.fixture
def client():
    return RecordingClient()


@pytest.fixture
def product(client):
    """An application whose users sign in, and the makers of what is reported."""
    app = flask.Flask("product")
    app.secret_key = "of a test"
    users = {name: User(name, is_active=name != "banned") for name in ("user-1", "user-2", "banned")}
    flask_login.LoginManager(app).user_loader(users.get)
    abuse = FlaskAbuse(client, user_id=lambda: None, trust=trust("cloudflare", ["10.0.0.0/8"]))

    @app.post("/sign-in/<name>")
    def sign_in(name):
        is_in = flask_login.login_user(users[name], remember=True)
        # Nothing is reported before the view has done its work.
        assert client.auth_events == []
        return {"is_in": is_in}

    @app.get("/me")
    @flask_login.login_required
    def me():
        return flask_login.current_user.get_id()

    return app, abuse


def post(app, path):
    browser = app.test_client()
    return browser, browser.post(path, headers=EDGE, environ_base={"REMOTE_ADDR": "10.0.0.1"})


def test_sign_in_is_reported(product, client):
    """A sign-in leaves once, with the facts of its request; the session's further requests are none."""
    app, abuse = product
    report_sign_ins(app, abuse, described)
    browser, answer = post(app, "/sign-in/user-1")
    assert answer.get_json() == {"is_in": True}
    assert browser.get("/me").text == "user-1"
    browser.delete_cookie("session")
    assert browser.get("/me").text == "user-1"  # by the cookie that remembers
    client.assert_signed_in(
        times=1, kilo_user_id="user-1", email="user-1@example.com", auth_method="password", ip_address="192.0.2.7"
    )
    assert len(client.auth_events) == 1


def test_second_call_replaces_first(product, client):
    """Whoever calls twice, as with a factory that runs again, reports once."""
    app, abuse = product
    report_sign_ins(app, abuse, described)
    report_sign_ins(app, abuse, lambda user: described(user) | {"auth_method": "newer"})
    post(app, "/sign-in/user-1")
    assert client.assert_signed_in(times=1)["auth_method"] == "newer"


def test_other_application_is_not_reported(product, client):
    """Only the application that was named is listened to."""
    app, abuse = product
    report_sign_ins(flask.Flask("other"), abuse, described)
    assert post(app, "/sign-in/user-1")[1].status_code == 200
    assert client.auth_events == []


def test_inactive_user_is_not_signed_in(product, client):
    """Who is not active is not signed in, so nothing is reported by itself."""
    app, abuse = product
    report_sign_ins(app, abuse, described)
    assert post(app, "/sign-in/banned")[1].get_json() == {"is_in": False}
    assert client.auth_events == []


def test_some_are_left_out(product, client, caplog):
    """Of whom the product's function says nothing nothing is reported."""
    app, abuse = product
    report_sign_ins(app, abuse, lambda user: None)
    assert post(app, "/sign-in/user-1")[1].get_json() == {"is_in": True}
    assert (client.auth_events, caplog.messages) == ([], [])


@pytest.mark.parametrize("fields", [lambda user: user.nothing, lambda user: {}, lambda user: {"email": user.email}])
def test_mistakes_end_no_sign_in(product, client, fields, caplog):
    """Whatever the product's function answers or raises, its user is signed in, and the mistake is logged."""
    app, abuse = product
    report_sign_ins(app, abuse, fields)
    assert post(app, "/sign-in/user-1")[1].get_json() == {"is_in": True}
    assert client.auth_events == []
    assert caplog.messages == ["a sign-in could not be reported"]
