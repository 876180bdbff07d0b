"""What the network says of a request: believed from trusted peers only."""

from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from cloud.settings import Edge, Settings


@dataclass(frozen=True, kw_only=True)
class NetworkFacts:
    """Facts about where a request came from; absent is unknown."""

    ip_address: str | None = None
    """As the header had it, possibly a list: this is what the abuse service is told."""
    client_ip: str = "unknown_ip"
    """The first hop that no trusted peer owns: this is what the cloud itself judges by."""
    user_agent: str | None = None
    ja4_digest: str | None = None
    geo_city: str | None = None
    geo_country: str | None = None
    geo_latitude: float | None = None
    geo_longitude: float | None = None
    trusted_headers: Headers = field(default_factory=lambda: Headers({}))
    """All headers of a trusted peer, none of another."""


def read_network_facts(connection: HTTPConnection, settings: Settings) -> NetworkFacts:
    """Read the facts; from an untrusted peer only its address and its user agent count."""
    peer = connection.client.host if connection.client else None
    agent = connection.headers.get("user-agent")
    if not is_trusted(peer, settings):
        return NetworkFacts(ip_address=peer, client_ip=peer or "unknown_ip", user_agent=agent)
    headers = connection.headers
    if settings.edge is Edge.VERCEL:
        raw = headers.get("x-forwarded-for") or peer
        return NetworkFacts(
            ip_address=raw,
            client_ip=first_untrusted_hop(raw, settings),
            user_agent=agent,
            ja4_digest=headers.get("x-vercel-ja4-digest"),
            geo_city=decoded(headers.get("x-vercel-ip-city")),
            geo_country=headers.get("x-vercel-ip-country"),
            geo_latitude=degrees(headers.get("x-vercel-ip-latitude")),
            geo_longitude=degrees(headers.get("x-vercel-ip-longitude")),
            trusted_headers=headers,
        )
    if settings.edge is Edge.CLOUDFLARE:
        raw = headers.get("cf-connecting-ip") or peer
        return NetworkFacts(
            ip_address=raw,
            client_ip=first_untrusted_hop(raw, settings),
            user_agent=agent,
            ja4_digest=headers.get("cf-ja4"),
            geo_city=headers.get("cf-ipcity"),
            geo_country=headers.get("cf-ipcountry"),
            trusted_headers=headers,
        )
    return NetworkFacts(ip_address=peer, client_ip=peer or "unknown_ip", user_agent=agent, trusted_headers=headers)


def is_trusted(host: str | None, settings: Settings) -> bool:
    """Say whether the operator named the host's network as a trusted peer."""
    address = parsed(host)
    return address is not None and any(address in network for network in settings.trusted_peers)


def first_untrusted_hop(forwarded: str | None, settings: Settings) -> str:
    """Return the last hop of the list that is not ours: everything left of it may be made up."""
    hops = [hop.strip() for hop in (forwarded or "").split(",") if hop.strip()]
    for hop in reversed(hops):
        if not is_trusted(hop, settings):
            return hop
    return hops[0] if hops else "unknown_ip"


def parsed(host: str | None) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host or "")
    except ValueError:
        return None


def decoded(city: str | None) -> str | None:
    # Vercel percent-encodes city names.
    return None if city is None else unquote(city)


def degrees(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
