"""What the network says of a request, believed from trusted peers only."""

import math
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import unquote

import msgspec

UNKNOWN_PEER = "unix"
"""How to name, among trusted peers, one that has no address: the other end of a Unix socket."""


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """Which headers the outermost proxy sets; ``None`` where it sets none. Names in lower case."""

    address: str | None = None
    ja4: str | None = None
    city: str | None = None
    country: str | None = None
    latitude: str | None = None
    longitude: str | None = None
    city_is_encoded: bool = False


NO_EDGE = Edge()
FORWARDED = Edge(address="x-forwarded-for")
VERCEL = Edge(
    address="x-forwarded-for",
    ja4="x-vercel-ja4-digest",
    city="x-vercel-ip-city",
    country="x-vercel-ip-country",
    latitude="x-vercel-ip-latitude",
    longitude="x-vercel-ip-longitude",
    city_is_encoded=True,
)
CLOUDFLARE = Edge(address="cf-connecting-ip", ja4="cf-ja4", city="cf-ipcity", country="cf-ipcountry")

EDGES = {"none": NO_EDGE, "forwarded": FORWARDED, "vercel": VERCEL, "cloudflare": CLOUDFLARE}


class RequestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Facts about where a request came from; absent is unknown."""

    ip_address: str | None = None
    """As the header had it, possibly a list: this is what the abuse service is told."""
    client_ip: str | None = None
    """The last hop that is no trusted peer: this is what to judge by yourself."""
    user_agent: str | None = None
    ja4_digest: str | None = None
    geo_city: str | None = None
    geo_country: str | None = None
    geo_latitude: float | None = None
    geo_longitude: float | None = None

    def to_payload(self) -> dict[str, Any]:
        """The fields of a classification or a sign-in that these facts fill."""
        fields = msgspec.structs.asdict(self)
        return {name: value for name, value in fields.items() if value is not None and name != "client_ip"}

    def to_auth_payload(self) -> dict[str, Any]:
        """The fields of a sign-in that these facts fill: the contract has no coordinates there."""
        return {name: value for name, value in self.to_payload().items() if not name.startswith("geo_l")}


class Trust(msgspec.Struct, frozen=True):
    """Whose headers are believed. `trust` makes one from what an operator writes."""

    edge: Edge = NO_EDGE
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    trusts_unknown_peer: bool = False

    def covers(self, host: str | None) -> bool:
        """Whether the operator named the host's network."""
        if not host:
            return self.trusts_unknown_peer
        address = _address(host)
        return address is not None and any(address in network for network in self.networks)

    def read(self, peer: str | None, headers: Mapping[str, str]) -> RequestFacts:
        """The facts of a request from ``peer``; of an untrusted one only address and user agent count.

        ``headers`` have lower-case names; a header that came several times is one text, joined by commas.
        """
        agent = headers.get("user-agent")
        peer = peer or None
        if not self.covers(peer):
            return RequestFacts(ip_address=peer, client_ip=peer, user_agent=agent)
        edge = self.edge
        raw = _header(headers, edge.address) or peer
        city = _header(headers, edge.city)
        return RequestFacts(
            ip_address=raw,
            client_ip=self._client_in(raw),
            user_agent=agent,
            ja4_digest=_header(headers, edge.ja4),
            geo_city=unquote(city) if city and edge.city_is_encoded else city,
            geo_country=_header(headers, edge.country),
            geo_latitude=_degrees(_header(headers, edge.latitude)),
            geo_longitude=_degrees(_header(headers, edge.longitude)),
        )

    def _client_in(self, hops: str | None) -> str | None:
        # Everything left of the last hop that is not ours may be made up.
        named = [hop.strip() for hop in (hops or "").split(",") if hop.strip()]
        for hop in reversed(named):
            if not self.covers(hop):
                return hop
        return named[0] if named else None


def trust(edge: Edge | str = NO_EDGE, peers: Iterable[str] = ()) -> Trust:
    """Believe the headers of an edge (`EDGES`) when they come from these peers.

    A peer is an address, a network such as ``10.0.0.0/8``, or ``unix``. Raises `ValueError` for one that is neither.
    """
    if isinstance(edge, str):
        if edge not in EDGES:
            raise ValueError(f"edge: found {edge!r}, expected one of {', '.join(EDGES)}")
        edge = EDGES[edge]
    named = [peers] if isinstance(peers, str) else list(peers)
    networks = tuple(ip_network(peer, strict=False) for peer in named if peer != UNKNOWN_PEER)
    return Trust(edge, networks, UNKNOWN_PEER in named)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _header(headers: Mapping[str, str], name: str | None) -> str | None:
    return (headers.get(name) or None) if name else None


def _degrees(text: str | None) -> float | None:
    try:
        degrees = float(text or "nan")
    except ValueError:
        return None
    return degrees if math.isfinite(degrees) else None
