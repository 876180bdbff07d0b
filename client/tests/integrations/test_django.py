"""Django: sign-ins of django.contrib.auth and allauth, reports after the commit, and guarded views."""

import asyncio
import json
import logging

import pytest

from abuse_client import events
from abuse_client.gateway import Mode
from abuse_client.testing import RecordingClient, classification

django = pytest.importorskip("django")
pytest.importorskip("allauth")

from django.conf import settings  # noqa: E402

BODY = {"model": "model-a", "messages": [{"role": "user", "content": "Hi"}]}
EDGE = {"x-forwarded-for": "192.0.2.7", "x-vercel-ja4-digest": "t13d", "user-agent": "agent/1"}
META = {"REMOTE_ADDR": "10.0.0.1"} | {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in EDGE.items()}
GUARD = {"always_waits": True, "free_model": "free", "quarantine_3_s": 0.01}
PASSWORD = "correct horse battery"

if not settings.configured:
    settings.configure(
        SECRET_KEY="of a test",
        ALLOWED_HOSTS=["*"],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.messages",
            "allauth",
            "allauth.account",
            "abuse_client.integrations.django",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        AUTHENTICATION_BACKENDS=[
            "django.contrib.auth.backends.ModelBackend",
            "allauth.account.auth_backends.AuthenticationBackend",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {
                    "context_processors": [
                        "django.template.context_processors.request",
                        "django.contrib.auth.context_processors.auth",
                        "django.contrib.messages.context_processors.messages",
                    ]
                },
            }
        ],
        ROOT_URLCONF=__name__,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        ACCOUNT_EMAIL_VERIFICATION="none",
        ACCOUNT_RATE_LIMITS=False,
        USE_TZ=True,
    )
    django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.core.exceptions import ImproperlyConfigured  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.http import JsonResponse  # noqa: E402
from django.test import AsyncClient, Client, override_settings  # noqa: E402
from django.urls import include, path  # noqa: E402

from abuse_client.integrations.django import DjangoAbuse, facts, guarded, report_after_commit, report_sign_up  # noqa: E402


@guarded
def chat(request):
    request.abuse_passage.report_cost(message_id="msg-1", cost=5)
    return JsonResponse({"model": request.abuse_passage.model or json.loads(request.body)["model"]})


@guarded
async def async_chat(request):
    return JsonResponse({"model": request.abuse_passage.model or json.loads(request.body)["model"]})


def show_facts(request):
    return JsonResponse(facts(request).to_payload())


urlpatterns = [
    path("chat", chat),
    path("async-chat", async_chat),
    path("facts", show_facts),
    path("accounts/", include("allauth.urls")),
]


@pytest.fixture(scope="module")
def tables():
    call_command("migrate", verbosity=0)
    yield
    connection.close()


@pytest.fixture
def client(tables):
    """What the product's client recorded, with a fresh database state around it."""
    made = RecordingClient()
    made.answer(classification("nothing"))
    entries = {"CLIENT": made, "EDGE": "vercel", "TRUSTED_PEERS": ["10.0.0.0/8"], "GUARD": GUARD}
    with override_settings(ABUSE_CLIENT=entries):
        yield made
    get_user_model().objects.all().delete()


@pytest.fixture
def user(client):
    made = get_user_model().objects.create_user("ada", "ada@example.com", PASSWORD)
    client.clear()
    return made


def test_sign_in_is_reported(client, user):
    """A sign-in through django.contrib.auth is reported with the account and where it came from, by itself."""
    browser = Client()
    assert browser.login(username="ada", password=PASSWORD)
    client.assert_signed_in(times=1, kilo_user_id=str(user.pk), email="ada@example.com", is_admin=False)
    client.clear()
    assert browser.login(username="ada", password="wrong") is False
    client.assert_nothing_reported()


def test_allauth_sign_up_is_reported(client):
    """A sign-up through allauth's own form is reported as one, with the facts of its request."""
    form = {"username": "eve", "email": "eve@example.com", "password1": PASSWORD, "password2": PASSWORD}
    answer = Client().post("/accounts/signup/", form, **META)
    assert answer.status_code == 302
    found = client.assert_signed_up(times=1, email="eve@example.com", ip_address="192.0.2.7", ja4_digest="t13d")
    assert found["kilo_user_id"] == str(get_user_model().objects.get().pk)
    assert found["account_created_at"].startswith("20")
    client.assert_signed_in(times=1, email="eve@example.com", ip_address="192.0.2.7")


def test_sign_up_waits_for_commit(client, user):
    """A sign-up inside a transaction that rolls back was none."""
    with transaction.atomic():
        report_sign_up(None, user)
        transaction.set_rollback(True)
    client.assert_nothing_reported()
    with transaction.atomic():
        report_sign_up(None, user, auth_method="email")
        client.assert_nothing_reported()
    client.assert_signed_up(times=1, kilo_user_id=str(user.pk), auth_method="email")


def test_product_says_id_and_fields(client, user):
    """The id and further fields are the product's to say."""
    entries = {
        "CLIENT": client,
        "USER_ID": lambda user: f"u-{user.username}",
        "AUTH_FIELDS": lambda request, user: {"customer_source": "campaign"},
    }
    with override_settings(ABUSE_CLIENT=entries):
        Client().login(username="ada", password=PASSWORD)
    client.assert_signed_in(times=1, kilo_user_id="u-ada", customer_source="campaign")


def test_mistake_never_ends_sign_in(client, user, caplog):
    """When the product's own function fails the user is signed in all the same; who has no e-mail is not reported."""
    caplog.set_level(logging.ERROR, "abuse_client.django")
    with override_settings(ABUSE_CLIENT={"CLIENT": client, "AUTH_FIELDS": lambda request, user: 1 / 0}):
        assert Client().login(username="ada", password=PASSWORD)
    assert "ZeroDivisionError" in caplog.text
    get_user_model().objects.create_user("bob", "", PASSWORD)
    assert Client().login(username="bob", password=PASSWORD)
    client.assert_nothing_reported()


def test_event_leaves_after_commit(client):
    """An event leaves after the commit, a savepoint's only if that stands, and outside of a transaction at once."""
    with transaction.atomic():
        report_after_commit(events.user_deleted(kilo_user_id="kept"), events.user_deleted(kilo_user_id="too"))
        with transaction.atomic():
            report_after_commit(events.user_deleted(kilo_user_id="lost"))
            transaction.set_rollback(True)
        client.assert_nothing_reported()
    report_after_commit(events.user_deleted(kilo_user_id="at once"))
    assert [event["data"]["kilo_user_id"] for event in client.events] == ["kept", "too", "at once"]


def test_judged_request_reaches_view(client, user):
    """Whoever passes is served; the question has who, where and what, and the cost names it."""
    browser = Client()
    browser.force_login(user)
    client.clear()
    answer = browser.post("/chat", BODY, content_type="application/json", **META)
    assert answer.json() == {"model": "model-a"}
    client.assert_asked(times=1, kilo_user_id=str(user.pk), ip_address="192.0.2.7", user_prompt="Hi")
    client.assert_cost_reported(times=1, request_id=7, kilo_user_id=str(user.pk))


@pytest.mark.parametrize("view", ["/chat", "/async-chat"])
@pytest.mark.parametrize(("action", "status"), [("block", 403), ("rate-limit", 429), ("quarantine-3", 200)])
async def test_guard_is_the_same_for_both_kinds(client, view, action, status):
    """Plain views and coroutines are guarded alike: refusals with their bodies, the model for who is slowed down."""
    client.answer(classification(action, retry_after_seconds=12))
    answer = await AsyncClient().post(view, BODY, content_type="application/json")
    assert answer.status_code == status
    assert json.loads(answer.content) == {"model": "free"} if status == 200 else "error" in json.loads(answer.content)
    assert answer.headers.get("retry-after") == ("12" if status == 429 else None)
    await asyncio.sleep(0)


def test_stranger_cannot_forge_facts(client):
    """Headers that a stranger sends count for nothing."""
    forged = META | {"REMOTE_ADDR": "203.0.113.5"}
    assert Client().get("/facts", **forged).json() == {"ip_address": "203.0.113.5", "user_agent": "agent/1"}
    assert Client().get("/facts", **META).json()["ja4_digest"] == "t13d"
    Client().post("/chat", BODY, content_type="application/json", **forged)
    client.assert_asked(times=1, kilo_user_id="anon:203.0.113.5")


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({"TRUSTED_PEER": ["10.0.0.1"]}, "TRUSTED_PEER"),
        ({"EDGE": "vercell"}, "vercell"),
        ({"TRUSTED_PEERS": ["proxy"]}, "proxy"),
        ({"GUARD": {"deadline": 2}}, "deadline"),
        ({"GUARD": {"mode": "watch"}}, "watch"),
    ],
)
def test_wrong_setting_is_told(entries, told):
    """A misspelt or impossible setting stops the start and names itself."""
    with pytest.raises(ImproperlyConfigured, match=told):
        DjangoAbuse(entries)


def test_settings_make_guard():
    """The guard is as the settings say, over a client that is made from the environment."""
    made = DjangoAbuse({"GUARD": {"mode": "observe", "deadline_s": 1.5}})
    assert (made.guard.settings.mode, made.guard.settings.deadline_s) == (Mode.OBSERVE, 1.5)
    assert made.user_id(None) is None
