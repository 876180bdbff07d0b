"""What is believed of a request's headers, and from whom."""

import pytest

from abuse_client.contract import ClassifyPayload
from abuse_client.gateway import CLOUDFLARE, NO_EDGE, VERCEL, RequestFacts, Trust, describe_llm_request, trust
from abuse_client.testing import problems_in

VERCEL_HEADERS = {
    "x-forwarded-for": "203.0.113.9, 198.51.100.3",
    "user-agent": "agent/1",
    "x-vercel-ja4-digest": "t13d",
    "x-vercel-ip-city": "S%C3%A3o%20Paulo",
    "x-vercel-ip-country": "BR",
    "x-vercel-ip-latitude": "-23.5",
    "x-vercel-ip-longitude": "-46.6",
    "cf-connecting-ip": "192.0.2.66",
}


def test_vercel_is_read_whole():
    """Behind a trusted Vercel each fact is taken, the city decoded, the address kept as it came."""
    facts = trust("vercel", ["10.0.0.0/8"]).read("10.1.2.3", VERCEL_HEADERS)
    assert facts == RequestFacts(
        ip_address="203.0.113.9, 198.51.100.3",
        client_ip="198.51.100.3",
        user_agent="agent/1",
        ja4_digest="t13d",
        geo_city="São Paulo",
        geo_country="BR",
        geo_latitude=-23.5,
        geo_longitude=-46.6,
    )


def test_cloudflare_is_read_whole():
    """Behind a trusted Cloudflare its headers count and nobody else's."""
    headers = VERCEL_HEADERS | {"cf-ipcountry": "DE", "cf-ipcity": "Köln", "cf-ja4": "t13c"}
    facts = trust(CLOUDFLARE, ["10.1.2.3"]).read("10.1.2.3", headers)
    assert (facts.ip_address, facts.client_ip, facts.ja4_digest) == ("192.0.2.66", "192.0.2.66", "t13c")
    assert (facts.geo_city, facts.geo_country, facts.geo_latitude) == ("Köln", "DE", None)


@pytest.mark.parametrize("edge", ["none", "forwarded", "vercel", "cloudflare"])
@pytest.mark.parametrize("peer", ["192.0.2.7", "2001:db8::1", None, "", "no address"])
def test_untrusted_headers_are_ignored(edge, peer):
    """Of an untrusted peer only its address and the user agent count, whatever it claims."""
    facts = trust(edge, ["10.0.0.0/8"]).read(peer, VERCEL_HEADERS)
    assert facts == RequestFacts(ip_address=peer or None, client_ip=peer or None, user_agent="agent/1")


@pytest.mark.parametrize(
    ("hops", "client"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9, 10.0.0.1", "203.0.113.9"),
        ("10.0.0.2, 10.0.0.1", "10.0.0.2"),
        (" 203.0.113.9 , , 10.0.0.1", "203.0.113.9"),
        ("unknown, 10.0.0.1", "unknown"),
        ("", "10.9.9.9"),
    ],
)
def test_client_is_last_hop_not_ours(hops, client):
    """Everything left of the last hop that is not ours may be made up, so that hop is the one to judge by."""
    assert trust("forwarded", ["10.0.0.0/8"]).read("10.9.9.9", {"x-forwarded-for": hops}).client_ip == client


def test_peers_in_every_spelling():
    """Networks, addresses, an IPv4 address in IPv6's clothes, a scoped address and a Unix socket can be trusted."""
    everybody = trust("forwarded", ["10.0.0.0/8", "192.0.2.1", "fe80::/10", "unix"])
    trusted = ["10.1.1.1", "192.0.2.1", "::ffff:10.0.0.1", "fe80::1%eth0", None, ""]
    assert [everybody.covers(peer) for peer in trusted] == [True] * 6
    assert [everybody.covers(peer) for peer in ["192.0.2.2", "2001:db8::1", "testclient"]] == [False] * 3
    assert trust("forwarded", "10.0.0.0/8").covers("10.1.1.1")
    assert Trust() == trust(NO_EDGE)


@pytest.mark.parametrize("wrong", [{"edge": "vercell"}, {"peers": ["10.0.0.0/33"]}, {"peers": ["proxy.example.com"]}])
def test_wrong_trust_is_refused(wrong):
    """A spelling mistake in what is trusted is told at once, it never means that all or nobody is."""
    with pytest.raises(ValueError, match=r"vercell|10\.0\.0\.0|proxy"):
        trust(**wrong)


@pytest.mark.parametrize("text", ["", "north", "nan", "inf", "1e999"])
def test_odd_degrees_are_absent(text):
    """A coordinate that is no number is left out."""
    assert trust(VERCEL, ["10.0.0.1"]).read("10.0.0.1", {"x-vercel-ip-latitude": text}).geo_latitude is None


MESSAGES = [
    {"role": "system", "content": "be brief"},
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "yes?"},
    {"role": "user", "content": [{"type": "text", "text": "last"}, {"type": "image_url", "image_url": {}}]},
]


@pytest.mark.parametrize(
    ("body", "said", "system", "max_tokens"),
    [
        ({"messages": MESSAGES, "max_completion_tokens": 5}, "last", "be brief", 5),
        ({"messages": MESSAGES[1:], "system": [{"type": "text", "text": "s"}], "max_tokens": 6}, "last", "s", 6),
        ({"input": "hello", "instructions": "i", "max_output_tokens": 7}, "hello", "i", 7),
        ({"input": [{"role": "developer", "content": "d"}, {"role": "user", "content": "u"}]}, "u", "d", None),
        ({"prompt": "def f(", "suffix": ")"}, "def f(", None, None),
        ({"messages": "nonsense", "max_tokens": "many"}, "nonsense", None, None),
        ({"messages": [None, 5, {"role": "user"}]}, None, None, None),
        ({}, None, None, None),
    ],
)
def test_every_shape_is_understood(body, said, system, max_tokens):
    """Chat completions, messages, responses and prompts tell what the user said, and none makes it stumble."""
    asked = describe_llm_request(body, kilo_user_id="user-1")
    assert (asked.user_prompt, asked.system_prompt, asked.max_tokens) == (said, system, max_tokens)


def test_request_is_described_whole():
    """Who, from where, which model and how, as the contract names it."""
    facts = trust("vercel", ["10.0.0.0/8"]).read("10.1.2.3", VERCEL_HEADERS)
    body = (
        b'{"model": "Example/Model-A", "stream": true, "tools": [{}], "messages": [{"role": "user", "content": "Hi"}]}'
    )
    asked = describe_llm_request(body, facts, kilo_user_id="user-1", feature="chat", sends_prompts=False)
    assert asked == ClassifyPayload(
        kilo_user_id="user-1",
        requested_model="example/model-a",
        has_tools=True,
        streamed=True,
        feature="chat",
        ip_address="203.0.113.9, 198.51.100.3",
        user_agent="agent/1",
        ja4_digest="t13d",
        geo_city="São Paulo",
        geo_country="BR",
        geo_latitude=-23.5,
        geo_longitude=-46.6,
    )


def test_nobody_is_anonymous():
    """Without a user the request is the anonymous one's at that address."""
    assert describe_llm_request({}, RequestFacts(client_ip="192.0.2.7")).kilo_user_id == "anon:192.0.2.7"
    assert describe_llm_request(b"\xff not json").kilo_user_id == "anon:unknown_ip"


def test_facts_fit_sign_ins():
    """The facts fill a sign-in without a field that the contract does not have there."""
    facts = trust("vercel", ["10.0.0.0/8"]).read("10.1.2.3", VERCEL_HEADERS)
    sign_in = {"kilo_user_id": "u", "event_type": "signin", "email": "u@example.com", **facts.to_auth_payload()}
    assert problems_in("/api/auth-event", sign_in) == []
    assert problems_in("/api/classify", facts.to_payload()) == []
