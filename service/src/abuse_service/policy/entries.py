"""Entries of lists as people write them: ``user:123``, ``network:192.0.2.0/24``, ``domain:example.com``."""

import ipaddress
from collections.abc import Mapping

from abuse_service.enrichment.mail import read_mail
from abuse_service.errors import PolicyError
from abuse_service.events.entity import EntityKind

ENTRY_KINDS = {
    "user": EntityKind.USER,
    "fingerprint": EntityKind.USER,
    "organization": EntityKind.ORGANIZATION,
    "ip": EntityKind.IP,
    "network": EntityKind.NETWORK,
    "domain": EntityKind.EMAIL_DOMAIN,
    "mailbox": EntityKind.MAILBOX,
    "device": EntityKind.DEVICE,
    "card": EntityKind.CARD,
    "customer": EntityKind.CUSTOMER,
}
"""What stands before the colon, and the kind of entity that it names."""

PREFIX_LENGTHS = {4: 24, 6: 48}
"""The one width of network that is kept of each event, by IP version."""

_LONGEST = 1024


def is_entry(text: str) -> bool:
    """Whether a text of a policy's list is an entry, and no plain string such as a model's name."""
    return text.partition(":")[0] in ENTRY_KINDS and ":" in text


def read_entry(text: str) -> tuple[EntityKind, str]:
    """What an entry names, as intake would name it. Raises `ValueError` that repeats no value."""
    kind, colon, value = text.strip().partition(":")
    value = value.strip()
    if kind not in ENTRY_KINDS or not colon or not value:
        raise ValueError(f"expected KIND:VALUE with one of the kinds {', '.join(ENTRY_KINDS)}")
    if len(value) > _LONGEST:
        raise ValueError(f"expected at most {_LONGEST} characters")
    readers = {"ip": _address, "network": _network, "domain": _domain, "mailbox": _mailbox}
    if kind in readers:
        return ENTRY_KINDS[kind], readers[kind](value)
    # An identity is known by its whole key, "user:" included.
    return ENTRY_KINDS[kind], f"{kind}:{value}" if ENTRY_KINDS[kind] is EntityKind.USER else value


def check_entries(lists: Mapping[str, list[str]]) -> None:
    """Refuse an entry in a policy's list that names nothing. Raises `PolicyError` that names the list."""
    for name, texts in lists.items():
        for text in filter(is_entry, texts):
            try:
                read_entry(text)
            except ValueError as error:
                raise PolicyError(f"{error} (in {text.partition(':')[0]}:…)", path=f"lists.{name}") from None


def _mailbox(value: str) -> str:
    mail = read_mail(value)
    if mail is None:
        raise ValueError("expected an e-mail address, such as mailbox:a@example.com")
    return mail.mailbox


def _domain(value: str) -> str:
    mail = read_mail(f"a@{value}") if "@" not in value and "." in value.strip(".") else None
    if mail is None:
        raise ValueError("expected a domain, such as domain:example.com")
    if mail.domain != mail.registrable_domain:
        raise ValueError("expected a domain as it is registered, such as domain:example.com, found a name below one")
    return mail.registrable_domain


def _address(value: str) -> str:
    if "/" in value:
        raise ValueError("expected one address; a network is written network:192.0.2.0/24")
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        raise ValueError("expected an address, such as ip:192.0.2.1") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def _network(value: str) -> str:
    try:
        network = ipaddress.ip_network(value)
    except ValueError as error:
        hint = "; its host bits must be 0" if "host bits" in str(error) else ""
        raise ValueError(f"expected a network, such as network:192.0.2.0/24{hint}") from None
    wanted = PREFIX_LENGTHS[network.version]
    if network.prefixlen != wanted:
        raise ValueError(
            f"expected an IPv{network.version} /{wanted}, found /{network.prefixlen}: "
            "events are known by that width alone"
        )
    return str(network)
