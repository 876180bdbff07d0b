"""The one place that picks the parts of the cloud."""

from collections.abc import Callable
from datetime import UTC, datetime

from pydantic import SecretStr

from abuse_client import AbuseClient, AsyncAbuseClient
from abuse_client.gateway import AsyncGuard
from cloud.accounts.device_check import DeviceCheck, NullDeviceCheck, StytchDeviceCheck
from cloud.accounts.providers import Providers
from cloud.background import Background
from cloud.billing.payments import NullPayments, PaymentProvider
from cloud.billing.stripe_payments import StripePayments
from cloud.context import Cloud
from cloud.database import Database
from cloud.gateway.classification import CountedClient, guard_settings
from cloud.gateway.service import Gateway
from cloud.gateway.upstreams import Upstreams
from cloud.mail.service import OutboxMailer
from cloud.reporting import ReportCounts, Reporting
from cloud.settings import Settings
from cloud.tokens import Signer


def utc_now() -> datetime:
    return datetime.now(UTC)


def build_cloud(settings: Settings, clock: Callable[[], datetime] = utc_now) -> Cloud:
    """Put the cloud together as the settings say."""
    return Cloud(
        settings=settings,
        database=Database(settings.database_url),
        reporting=Reporting(build_abuse_client(settings), ReportCounts()),
        mailer=OutboxMailer(),
        device_check=pick_device_check(settings),
        providers=Providers(settings),
        payments=pick_payments(settings),
        background=Background(),
        signer=Signer(settings.secret_key.get_secret_value()),
        clock=clock,
    )


def build_abuse_client(settings: Settings) -> AbuseClient:
    return AbuseClient(
        url=settings.abuse_url,
        client_id=settings.abuse_client_id,
        client_secret=revealed(settings.abuse_client_secret),
    )


def build_gateway(cloud: Cloud) -> Gateway:
    """Put the gateway together, inside the event loop that will serve it."""
    settings = cloud.settings
    abuse = AsyncAbuseClient(
        url=settings.abuse_url,
        client_id=settings.abuse_client_id,
        client_secret=revealed(settings.abuse_client_secret),
    )
    guard = AsyncGuard(CountedClient(abuse, cloud.reporting.counts), guard_settings(settings))
    return Gateway(cloud=cloud, abuse=abuse, guard=guard, upstreams=Upstreams(settings))


def pick_device_check(settings: Settings) -> DeviceCheck:
    if settings.device_check_url is None:
        return NullDeviceCheck()
    return StytchDeviceCheck(
        settings.device_check_url,
        settings.device_check_project_id,
        settings.device_check_secret.get_secret_value(),
        settings.device_check_timeout_seconds,
    )


def pick_payments(settings: Settings) -> PaymentProvider:
    if settings.stripe_api_key is None:
        return NullPayments()
    return StripePayments(settings.stripe_api_key.get_secret_value(), settings.stripe_api_url)


def revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None
