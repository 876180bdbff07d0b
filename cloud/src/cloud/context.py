"""What every business function is given: the database, the way to the abuse service, and the outside parties."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, cast

from fastapi import Depends
from starlette.requests import HTTPConnection

from cloud.accounts.device_check import DeviceCheck
from cloud.billing.payments import PaymentProvider
from cloud.database import Database
from cloud.mail.service import Mailer
from cloud.network import NetworkFacts, read_network_facts
from cloud.reporting import Reporting
from cloud.settings import Settings
from cloud.tokens import Signer
from cloud.transactions import Work, transaction


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """The cloud's parts; `cloud.wiring` is the one place that picks them."""

    settings: Settings
    database: Database
    reporting: Reporting
    mailer: Mailer
    device_check: DeviceCheck
    payments: PaymentProvider
    signer: Signer
    clock: Callable[[], datetime]

    def transaction(self, happened_at: datetime | None = None) -> AbstractContextManager[Work]:
        """Open a transaction whose events are reported after its commit, with the business time when it is told."""
        return transaction(self.database, self.reporting, self.clock(), happened_at)


def cloud_of(connection: HTTPConnection) -> Cloud:
    return cast(Cloud, connection.app.state.cloud)


Context = Annotated[Cloud, Depends(cloud_of)]


def facts_of(connection: HTTPConnection, cloud: Context) -> NetworkFacts:
    return read_network_facts(connection, cloud.settings)


Facts = Annotated[NetworkFacts, Depends(facts_of)]
