"""All offline data in one place, asked once an event at intake."""

import msgspec

from abuse_service.enrichment.agent import is_library_agent
from abuse_service.enrichment.mail import Mail, read_mail
from abuse_service.enrichment.network import Address, NetworkRanges, read_address

DATA_VERSION = "1"
"""Changes whenever the bundled data or their reading changes; stamped into each event."""


class Enriched(msgspec.Struct, frozen=True):
    """What the offline data say of one event's address, e-mail and agent."""

    address: Address | None
    mail: Mail | None
    is_hosting: bool
    is_library_agent: bool


class Enricher:
    """Reads addresses, e-mails and agents by offline data."""

    def __init__(self, hosting: NetworkRanges, trusted_proxies: int = 0) -> None:
        self._hosting = hosting
        self._trusted_proxies = trusted_proxies

    def enrich(self, ip_address: str | None, email: str | None, user_agent: str | None) -> Enriched:
        """What the three say; ``None`` and text that makes no sense say nothing."""
        address = read_address(ip_address, self._trusted_proxies) if ip_address else None
        return Enriched(
            address=address,
            mail=read_mail(email) if email else None,
            is_hosting=address is not None and self._hosting.holds(address),
            is_library_agent=bool(user_agent) and is_library_agent(user_agent or ""),
        )
