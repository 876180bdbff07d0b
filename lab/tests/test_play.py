"""Traces over HTTP: what the service says afterwards is what was sent."""

import gzip
import json
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from abuse_lab.__main__ import app
from abuse_lab.console import make_console
from abuse_lab.desk import ServiceDesk
from abuse_lab.play import Wish, play
from abuse_lab.play.trace import Price, TracedRequest, TraceError, read_trace
from abuse_lab.play.traffic import make_traffic, play_traffic
from abuse_lab.play.webhooks import Webhook, owners_of, play_webhooks, read_webhooks
from abuse_lab.service_process import ServiceProcess


def write_trace(path: Path, number: int) -> Path:
    """A trace of so many requests, about one a second."""
    rng = random.Random(7)
    rows = [
        f"2026-01-05 10:{second // 60:02d}:{second % 60:02d}.1234567,{rng.randrange(5000)},{rng.randrange(900)}\n"
        for second in range(number)
    ]
    text = "TIMESTAMP,ContextTokens,GeneratedTokens\n" + "".join(rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def webhook_event(kind: str, subject: dict[str, Any], previous: dict[str, Any] | None = None) -> dict[str, Any]:
    """A whole webhook event."""
    content = {"object": subject} | ({"previous_attributes": previous} if previous else {})
    event_id = f"evt_{random.getrandbits(64):016x}"
    return {"id": event_id, "object": "event", "type": kind, "created": 1_760_000_000, "data": content}


def write_webhooks(folder: Path) -> Path:
    """Seven events of three people, one of a type that nobody knows, and a file that is no event."""
    mark = f"{random.getrandbits(64):016x}"
    customer, charge, intent, method = (f"{prefix}_{mark}" for prefix in ("cus", "ch", "pi", "pm"))
    paid = {"object": "payment_intent", "id": intent, "customer": customer, "latest_charge": charge, "amount": 500}
    events = {
        "paid": webhook_event("payment_intent.succeeded", paid),
        "attached": webhook_event(
            "payment_method.attached", {"object": "payment_method", "id": method, "customer": customer}
        ),
        "detached": webhook_event(
            "payment_method.detached",
            {"object": "payment_method", "id": method, "customer": None},
            {"customer": customer},
        ),
        "warned": webhook_event(
            "radar.early_fraud_warning.created", {"object": "radar.early_fraud_warning", "charge": charge}
        ),
        "disputed": webhook_event("charge.dispute.created", {"object": "dispute", "charge": charge, "customer": None}),
        "planned": webhook_event("plan.created", {"object": "plan", "id": f"price_{mark}"}),
        "other": webhook_event(
            "charge.failed", {"object": "charge", "id": f"ch_other_{mark}", "customer": f"cus_other_{mark}"}
        ),
    }
    for name, event in events.items():
        (folder / f"{name}.json").write_text(json.dumps(event))
    (folder / "notes.json").write_text('{"object": "charge"}')
    return folder


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    """A console that can be read."""
    with (tmp_path / "console.txt").open("w") as file:
        yield Console(width=100, record=True, file=file, highlight=False)


@pytest.mark.parametrize("name", ["trace.csv", "trace.csv.gz"])
def test_spend_equals_what_was_sent(service: ServiceProcess, tmp_path: Path, console: Console, name: str) -> None:
    """A played trace leaves, of each made-up user, exactly the requests, costs and tokens that were sent."""
    trace = write_trace(tmp_path / name, 300)
    assert play(Wish(trace=trace, url=service.url, users=20), console) == 0
    page = console.export_text()
    assert "300 requests and 300 costs" in page
    assert "20 users; the service says the same of each, to the microdollar" in page


def test_limit_bounds_a_trace(service: ServiceProcess, tmp_path: Path, console: Console) -> None:
    """No more is sent than was asked for."""
    trace = write_trace(tmp_path / "trace.csv", 50)
    assert play(Wish(trace=trace, url=service.url, limit=7), console) == 0
    assert "7 requests and 7 costs" in console.export_text()


def test_lost_microdollar_is_noticed(service: ServiceProcess) -> None:
    """One microdollar more or less in the service fails the play and names the user."""
    requests = [TracedRequest(at_ms=0, input_tokens=10, output_tokens=20)] * 5
    ledger = play_traffic(service.url, make_traffic(requests, 1, Price()), 2)
    (account,) = ledger.accounts.values()
    with ServiceDesk(service.url) as desk:
        assert list(ledger.differences(desk)) == []
        account.cost_microdollars += 1
        (difference,) = ledger.differences(desk)
    assert f"cost_microdollars={5 * 330}" in difference


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A service that answers every POST with a status, or with 0 hangs up."""

    class Answers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            """Answer, or hang up."""
            self.rfile.read(int(self.headers["content-length"]))
            self.close_connection = not status
            if status:
                self.send_response(status)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_refusals_end_a_play(tmp_path: Path, console: Console) -> None:
    """A service that refuses everything gets a few requests only, and the play fails."""
    trace = write_trace(tmp_path / "trace.csv", 500)
    with answering(503) as url:
        assert play(Wish(trace=trace, url=url, connections=4), console) == 1
    page = console.export_text()
    assert "0 requests and 0 costs" in page
    assert "classify answered 503" in page


def test_hang_up_ends_a_play(tmp_path: Path) -> None:
    """A service that hangs up is one line, not a traceback."""
    trace = write_trace(tmp_path / "trace.csv", 50)
    with answering(0) as url:
        asked = CliRunner().invoke(app, ["play", str(trace), "--url", url])
    assert asked.exit_code == 1
    assert "closed the connection before it answered" in asked.stderr


def test_price_rounds_up() -> None:
    """A cost is a whole number of microdollars, never less than what it was."""
    price = Price(input_microdollars=3_000_000, output_microdollars=15_000_000)
    assert price.cost_microdollars(TracedRequest(at_ms=0, input_tokens=374, output_tokens=44)) == 1782
    assert (
        Price(input_microdollars=1, output_microdollars=0).cost_microdollars(
            TracedRequest(at_ms=0, input_tokens=1, output_tokens=9)
        )
        == 1
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("a,b,c\n", "line 1: found a,b,c, expected TIMESTAMP"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2026-01-05 10:00:00.1,5,many\n", "line 2: invalid literal"),
        ("TIMESTAMP,ContextTokens,GeneratedTokens\n2026-01-05 10:00:00.1,5,1\nyesterday,5,1\n", "line 3: "),
    ],
)
def test_broken_trace_names_the_line(tmp_path: Path, text: str, where: str) -> None:
    """A trace that can't be read says where."""
    trace = tmp_path / "trace.csv"
    trace.write_text(text)
    with pytest.raises(TraceError, match=where):
        read_trace(trace)


def test_webhooks_are_joined_and_read_back(service: ServiceProcess, tmp_path: Path, console: Console) -> None:
    """Events that name nobody are joined by their ids; each is kept as it was sent; a second play changes nothing."""
    folder = write_webhooks(tmp_path)
    assert play(Wish(trace=folder, url=service.url), console) == 0
    first = console.export_text()
    assert first.count("joined by its ids") == 4
    assert first.count("named its owner") == 3
    assert play(Wish(trace=folder, url=service.url), console) == 0
    assert console.export_text().count("known already") == 7


def test_owners_follow_shared_ids() -> None:
    """Events belong to one person when ids lead from one to the other, at whatever remove."""
    events = [
        webhook_event("charge.dispute.created", {"object": "dispute", "charge": "ch_1"}),
        webhook_event(
            "payment_method.attached", {"object": "payment_method", "id": "pm_1", "customer": {"id": "cus_1"}}
        ),
        webhook_event("charge.failed", {"object": "charge", "id": "ch_1", "customer": "cus_1"}),
        webhook_event("charge.failed", {"object": "charge", "id": "ch_2", "customer": "cus_2"}),
    ]
    first, second, third, other = owners_of(events)
    assert first == second == third != other


def test_webhook_that_went_astray_is_noticed(service: ServiceProcess) -> None:
    """An event that the service can't join to the owner it should have is a fault."""
    stray = webhook_event("charge.failed", {"object": "charge", "id": f"ch_{random.getrandbits(64)}"})
    webhook = Webhook(place="stray", event=stray, user=f"payer-{random.getrandbits(64)}", names_owner=False)
    with ServiceDesk(service.url) as desk:
        list(play_webhooks(desk, [webhook]))
    assert webhook.faults[-1] == "not joined to its owner"


def test_traffic_stays_on_this_machine(tmp_path: Path) -> None:
    """Nothing is ever sent to another machine."""
    asked = CliRunner().invoke(app, ["play", str(write_trace(tmp_path / "t.csv", 1)), "--url", "http://example.com"])
    assert asked.exit_code == 1
    assert "this machine only" in asked.stderr


def test_missing_trace_is_told(tmp_path: Path) -> None:
    """A path that leads nowhere is one line, not a traceback."""
    asked = CliRunner().invoke(app, ["play", str(tmp_path / "nothing")])
    assert asked.exit_code == 1
    assert "found nothing at" in asked.stderr


def test_hour_of_production_adds_up(service: ServiceProcess, shared_fixtures: Path) -> None:
    """An hour of production traffic, every request of it: the spend of each user is the sum of what was sent."""
    trace = shared_fixtures / "traffic" / "azure_llm_2023_conv.csv.gz"
    requests = read_trace(trace)
    assert len(requests) == 19_366
    ledger = play_traffic(service.url, make_traffic(requests, 500, Price()), 16)
    assert ledger.faults == []
    with ServiceDesk(service.url) as desk:
        assert list(ledger.differences(desk)) == []
    assert ledger.cost_microdollars == sum(map(Price().cost_microdollars, requests))


def test_real_webhooks_are_joined(service: ServiceProcess, shared_fixtures: Path) -> None:
    """Events as Stripe sent them and as it would today: accepted, joined by whatever id they carry, kept as sent."""
    webhooks = read_webhooks(shared_fixtures / "stripe")
    assert len(webhooks) == 14
    with ServiceDesk(service.url) as desk:
        list(play_webhooks(desk, webhooks))
    assert {webhook.place: webhook.faults for webhook in webhooks if webhook.faults} == {}


def test_console_is_a_hundred_columns() -> None:
    """Where the output is no terminal, pages are as wide as they were made."""
    assert make_console().width == 100
