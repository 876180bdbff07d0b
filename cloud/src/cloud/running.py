"""The cloud and its provider, really running: on free loopback ports, in threads, stopped cleanly."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_urlsafe
from threading import Thread
from time import monotonic, sleep
from typing import Any

import uvicorn
from fastapi import FastAPI

from cloud.app import create_app
from cloud.context import Cloud
from cloud.local.device_check import DeviceChecker, create_device_check
from cloud.local.identities import Client, IdentityProvider
from cloud.local.identity_provider import create_identity_provider
from cloud.local.stripe import Account, Webhooks, create_stripe
from cloud.local.upstream import Pace, create_upstream
from cloud.settings import Edge, Settings
from cloud.wiring import build_cloud

LOOPBACK = "127.0.0.1"
START_SECONDS = 20.0
STOP_SECONDS = 20.0
ADMIN_EMAIL = "ops@example.com"
PROVIDERS = ("google", "github", "discord", "sso")


@dataclass(frozen=True, kw_only=True)
class RunningCloud:
    """A cloud that answers at `url` until its context ends."""

    url: str
    upstream_url: str
    admin_email: str
    stripe_webhook_secret: str
    identity_provider: IdentityProvider
    device_checker: DeviceChecker
    stripe: Account
    """Stripe on this machine, unless the settings name a real key; its `base_url` is its address."""
    cloud: Cloud
    """The parts, for whoever runs in the same process."""


@contextmanager
def run_cloud(
    directory: Path,
    *,
    abuse_url: str | None = None,
    abuse_client_id: str | None = None,
    abuse_client_secret: str | None = None,
    pace: Pace | None = None,
    build: Callable[[Settings], Cloud] = build_cloud,
    **settings: Any,
) -> Iterator[RunningCloud]:
    """Run a cloud whose tables live in the directory, reporting to the abuse service at the address.

    Any field of `cloud.settings.Settings` can be given by its name; the local provider answers at the `pace`. Fresh
    secrets are made unless given. `build` puts the parts together, for whoever exchanges one.
    """
    with ExitStack() as servers:
        listener = servers.enter_context(bound_socket())
        url = address_of(listener)
        upstream_url = servers.enter_context(run_server(create_upstream(pace)))
        account = servers.enter_context(run_stripe(f"{url}/stripe/webhook"))
        client = Client(client_id="cloud", client_secret=token_urlsafe(24), redirect_prefix=f"{url}/auth/with/")
        identity_provider = IdentityProvider(client=client)
        identity_url = servers.enter_context(run_server(create_identity_provider(identity_provider)))
        checker = DeviceChecker(project_id="cloud", secret=token_urlsafe(24), public_token="cloud-public")
        checker_url = servers.enter_context(run_server(create_device_check(checker)))
        made: dict[str, Any] = {
            "database_url": f"sqlite:///{directory / 'cloud.db'}",
            "secret_key": token_urlsafe(32),
            "stripe_webhook_secret": account.webhooks.secret,
            "stripe_api_key": account.api_key,
            "stripe_api_url": account.base_url,
            "public_url": url,
            "upstream_url": f"{upstream_url}/v1",
            "edge": Edge.VERCEL,
            "trusted_peers": ("127.0.0.0/8",),
            "device_check_url": checker_url,
            "device_check_project_id": checker.project_id,
            "device_check_secret": checker.secret,
            "device_check_public_token": checker.public_token,
            "device_check_script_url": f"{checker_url}/telemetry.js",
            "device_check_submit_url": f"{checker_url}/telemetry",
            "google_issuer": f"{identity_url}/google",
            "github_url": f"{identity_url}/github",
            "github_api_url": f"{identity_url}/github/api",
            "discord_url": f"{identity_url}/discord",
            "sso_issuer": f"{identity_url}/sso",
            **{f"{brand}_client_id": client.client_id for brand in PROVIDERS},
            **{f"{brand}_client_secret": client.client_secret for brand in PROVIDERS},
            # What the service says is seen at once, not at the second request.
            "waits_for_classification": True,
            "outbox_is_open": True,
            "admin_emails": (ADMIN_EMAIL,),
            "abuse_url": abuse_url,
            "abuse_client_id": abuse_client_id,
            "abuse_client_secret": abuse_client_secret,
        }
        chosen = Settings(**(made | settings))
        cloud = build(chosen)
        with run_server(create_app(cloud), listener):
            yield RunningCloud(
                url=url,
                upstream_url=upstream_url,
                admin_email=chosen.admin_emails[0],
                stripe_webhook_secret=chosen.stripe_webhook_secret.get_secret_value(),
                identity_provider=identity_provider,
                device_checker=checker,
                stripe=account,
                cloud=cloud,
            )


@contextmanager
def run_stripe(webhook_url: str) -> Iterator[Account]:
    """Run a Stripe of this machine that sends its webhooks to the address until the context ends."""
    webhooks = Webhooks(webhook_url, f"whsec_{token_urlsafe(24)}")
    account = Account(api_key=f"sk_test_{token_urlsafe(12)}", webhooks=webhooks)
    with run_server(create_stripe(account)) as account.base_url:
        try:
            yield account
        finally:
            webhooks.close()


@contextmanager
def run_server(app: FastAPI, listener: socket.socket | None = None) -> Iterator[str]:
    """Serve the application in a thread, on the listener or a free port, until the context ends."""
    if listener is None:
        with bound_socket() as own, run_server(app, own) as url:
            yield url
        return
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", access_log=False, proxy_headers=False, lifespan="on")
    )
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, name=app.title, daemon=True)
    thread.start()
    try:
        await_start(server, thread)
        yield address_of(listener)
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)


@contextmanager
def bound_socket() -> Iterator[socket.socket]:
    """Hold a free loopback port, so that nobody takes it before the server listens."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, 0))
        yield listener


def address_of(listener: socket.socket) -> str:
    return f"http://{LOOPBACK}:{listener.getsockname()[1]}"


def await_start(server: uvicorn.Server, thread: Thread) -> None:
    """Return when the server answers; raise when it ended or took too long."""
    deadline = monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or monotonic() > deadline:
            raise RuntimeError(f"the server did not start within {START_SECONDS:g} s; its log says why")
        sleep(0.01)
