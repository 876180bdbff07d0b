"""What every business function is given: the database, the way to the abuse service, and the outside parties."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, TypeVar, cast

from fastapi import Depends
from sqlalchemy.exc import IntegrityError
from starlette.requests import HTTPConnection

from cloud.accounts.device_check import DeviceCheck
from cloud.accounts.providers import Providers
from cloud.background import Background
from cloud.billing.payments import PaymentProvider
from cloud.database import Database
from cloud.mail.service import Mailer
from cloud.network import NetworkFacts, read_network_facts
from cloud.reporting import Reporting
from cloud.settings import Settings
from cloud.tokens import Signer
from cloud.transactions import Work, transaction

Value = TypeVar("Value")


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """The cloud's parts; `cloud.wiring` is the one place that picks them."""

    settings: Settings
    database: Database
    reporting: Reporting
    mailer: Mailer
    device_check: DeviceCheck
    providers: Providers
    payments: PaymentProvider
    background: Background
    signer: Signer
    clock: Callable[[], datetime]

    def transaction(self, happened_at: datetime | None = None) -> AbstractContextManager[Work]:
        """Open a transaction whose events are reported after its commit, with the business time when it is told."""
        return transaction(self.database, self.reporting, self.clock(), happened_at)

    def settle(self, act: Callable[[Work], Value]) -> Value:
        """Run the act in a transaction, and once more where somebody took a unique value between read and write."""
        try:
            with self.transaction() as work:
                return act(work)
        except IntegrityError:
            with self.transaction() as work:
                return act(work)


def cloud_of(connection: HTTPConnection) -> Cloud:
    return cast(Cloud, connection.app.state.cloud)


Context = Annotated[Cloud, Depends(cloud_of)]


def facts_of(connection: HTTPConnection, cloud: Context) -> NetworkFacts:
    return read_network_facts(connection, cloud.settings)


Facts = Annotated[NetworkFacts, Depends(facts_of)]
