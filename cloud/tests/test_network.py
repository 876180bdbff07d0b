"""Network facts are believed from trusted peers only."""

from ipaddress import ip_network
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request

from cloud.network import read_network_facts
from cloud.settings import Edge, Settings

VERCEL = {
    "x-forwarded-for": "192.0.2.66, 198.51.100.7, 203.0.113.1",
    "user-agent": "curl/8",
    "x-vercel-ip-city": "S%C3%A3o%20Paulo",
    "x-vercel-ip-country": "BR",
    "x-vercel-ip-latitude": "-23.5",
    "x-vercel-ip-longitude": "east",
    "x-vercel-ja4-digest": "t13d",
}


def settings(edge: Edge) -> Settings:
    known: dict[str, Any] = {"secret_key": "s" * 16, "stripe_webhook_secret": "whsec_x", "edge": edge}
    return Settings(**known, trusted_peers=(ip_network("203.0.113.0/24"),))


def request(peer: str, headers: dict[str, str]) -> Request:
    raw = Headers(headers).raw
    return Request({"type": "http", "method": "GET", "path": "/", "headers": raw, "client": (peer, 1)})


def test_vercel_headers_are_read() -> None:
    """The raw list is told, the last hop that is not ours judges, the city is decoded, nonsense is absent."""
    facts = read_network_facts(request("203.0.113.9", VERCEL), settings(Edge.VERCEL))
    assert facts.ip_address == VERCEL["x-forwarded-for"]
    assert facts.client_ip == "198.51.100.7"
    assert (facts.geo_city, facts.geo_country, facts.ja4_digest) == ("São Paulo", "BR", "t13d")
    assert (facts.geo_latitude, facts.geo_longitude) == (-23.5, None)


def test_cloudflare_headers_are_read() -> None:
    """Behind Cloudflare its own headers count and Vercel's do not."""
    told = {"cf-connecting-ip": "192.0.2.8", "cf-ipcountry": "DE", "cf-ipcity": "Bonn", "cf-ja4": "t13c"}
    facts = read_network_facts(request("203.0.113.9", VERCEL | told), settings(Edge.CLOUDFLARE))
    assert (facts.ip_address, facts.client_ip) == ("192.0.2.8", "192.0.2.8")
    assert (facts.geo_city, facts.geo_country, facts.ja4_digest) == ("Bonn", "DE", "t13c")


def test_untrusted_peer_is_not_believed() -> None:
    """A stranger's headers say nothing about where he is or what device he holds."""
    facts = read_network_facts(request("192.0.2.1", VERCEL), settings(Edge.VERCEL))
    assert (facts.ip_address, facts.client_ip, facts.user_agent) == ("192.0.2.1", "192.0.2.1", "curl/8")
    assert (facts.ja4_digest, facts.geo_country, dict(facts.trusted_headers)) == (None, None, {})


def test_no_edge_means_peer_address() -> None:
    """Without an edge the forwarded address is not believed even from a trusted peer."""
    facts = read_network_facts(request("203.0.113.9", VERCEL), settings(Edge.NONE))
    assert (facts.ip_address, facts.ja4_digest) == ("203.0.113.9", None)
