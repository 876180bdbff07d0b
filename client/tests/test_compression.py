"""Bodies leave compressed where the service said that it takes that, and nowhere else."""

import json
import os

import pytest

from abuse_client import AbuseClient, Stats
from abuse_client.compression import SMALLEST_BYTES, Compression

EVENTS = [{"type": "user.blocked", "data": {"kilo_user_id": f"user-{number}"}} for number in range(50)]
COST = {"request_id": 17, "message_id": "msg-1", "cost": 4200}


def takes_gzip(handler):
    """A service that says that it takes gzip."""
    told = json.dumps({"success": True}).encode()
    handler.send_response(200)
    handler.send_header("Accept-Encoding", "gzip;q=1.0, br")
    handler.send_header("Content-Length", str(len(told)))
    handler.end_headers()
    handler.wfile.write(told)


def codings(sink):
    return [one.headers.get("Content-Encoding") for one in sink.received]


def send_twice(client):
    """A first report, by whose answer the client learns, and then a batch."""
    client.report_cost(COST)
    assert client.flush(5)
    client.report_events(EVENTS)
    assert client.flush(5)


def test_learned_coding_is_used(sink):
    """After an answer that offers gzip a batch leaves at a fraction of its size, and arrives whole."""
    sink.behave(takes_gzip)
    with AbuseClient(sink.url) as client:
        send_twice(client)
    assert codings(sink) == [None, "gzip"]
    assert len(sink.events) == len(EVENTS)
    assert sink.received[1].sent_bytes < len(sink.received[1].body) / 2


def test_unaware_service_gets_plain(sink):
    """A service that offers nothing never sees a coding."""
    with AbuseClient(sink.url) as client:
        send_twice(client)
    assert codings(sink) == [None, None]


def test_compression_can_be_switched_off(sink):
    """With ``compress=False`` an offer is not taken."""
    sink.behave(takes_gzip)
    with AbuseClient(sink.url, compress=False) as client:
        send_twice(client)
    assert codings(sink) == [None, None]


@pytest.mark.parametrize("status", [400, 406, 415, 422])
def test_refused_coding_is_sent_plain(sink, behaviour, status):
    """Where a service took over that takes no gzip, the batch leaves once more as it is, and all later ones."""
    sink.behave(takes_gzip, behaviour(status))
    with AbuseClient(sink.url) as client:
        send_twice(client)
        client.report_events(EVENTS)
        assert client.flush(5)
        assert client.stats() == Stats(sent=1 + 2 * len(EVENTS))
    assert codings(sink) == [None, "gzip", None, None]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_other_refusal_is_not_the_coding(sink, behaviour, status):
    """A refusal that says nothing of the coding is final."""
    sink.behave(takes_gzip, behaviour(status))
    with AbuseClient(sink.url) as client:
        send_twice(client)
        assert client.stats() == Stats(sent=1, failed=len(EVENTS))
    assert codings(sink) == [None, "gzip"]


def test_small_or_dense_bodies_stay_plain():
    """What fits a packet anyway, or does not shrink, is left as it is."""
    compression = Compression(is_wanted=True)
    assert compression.squeezed(b"a" * 10_000) is None
    compression.learn("gzip")
    assert compression.squeezed(b"a" * (SMALLEST_BYTES - 1)) is None
    assert len(compression.squeezed(b"a" * 10_000)) < 100
    assert compression.squeezed(os.urandom(10_000)) is None


def test_too_large_envelope_is_halved(sink, behaviour):
    """An envelope that a proxy finds too large is sent in halves; a single event that is too large is given up."""
    sink.behave(behaviour(413), behaviour(413))
    with AbuseClient(sink.url) as client:
        client.report_events(EVENTS)
        assert client.flush(5)
        assert client.stats() == Stats(sent=len(EVENTS))
    assert [len(one.fields["events"]) for one in sink.received] == [50, 25, 12, 13, 25]
    sink.behave(behaviour(413))
    with AbuseClient(sink.url) as client:
        client.report_event(EVENTS[0])
        assert client.flush(5)
        assert client.stats() == Stats(failed=1)
