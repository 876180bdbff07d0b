"""What waits for its user, and links that operators bring along, over HTTP and by the verbs."""

import time

import pytest
from typer.testing import CliRunner

from abuse_service.cli.main import app

DISPUTE = "stripe.charge.dispute.created"
FAILED = "stripe.charge.failed"


def send(service, name, **data):
    """Report one Stripe event."""
    answer = service.post("/api/events", {"events": [{"type": name, "data": data}]})
    assert answer.json()["accepted"] == 1, answer.text


def counts(service, user):
    """How many events of each type are in a user's record."""
    return service.client.get(f"/api/console/identities/{user}").json()["record"]["event_counts"]


def pending(service):
    """What waits."""
    return service.client.get("/api/console/pending").json()


def link(service, *links):
    """Bring links along."""
    return service.post("/api/console/links", {"links": list(links)})


def test_waiting_event_tells_why(service):
    """An event that nobody claims is listed with the ids under which it waits, and goes once one is claimed."""
    before = pending(service)["waiting"]
    send(service, DISPUTE, charge="ch_wait", payment_intent="pi_wait")
    view = pending(service)
    [one] = [event for event in view["events"] if "charge:ch_wait" in event["ids"]]
    assert view["waiting"] == before + 1
    assert (one["type"], one["ids"]) == (DISPUTE, ["charge:ch_wait", "payment_intent:pi_wait"])
    assert one["why"] == "nobody claims charge:ch_wait or payment_intent:pi_wait"
    until = time.monotonic() + 10
    while f"abuse_pending_events {before + 1}.0" not in service.client.get("/metrics").text:
        assert time.monotonic() < until
        time.sleep(0.05)
    send(service, FAILED, charge="ch_wait", kilo_user_id="wait-1")
    assert pending(service)["waiting"] == before
    assert counts(service, "wait-1") == {FAILED: 1, DISPUTE: 1}


def test_imported_link_joins_what_waited(service):
    """A link says whose a customer is: what waited for it is his, and the same link again changes nothing."""
    send(service, FAILED, customer="cus_link")
    said = {"stripe_customer_id": "cus_link", "kilo_user_id": "link-1"}
    assert link(service, said).json() == {"accepted": 1, "duplicates": 0}
    assert link(service, said, said).json() == {"accepted": 0, "duplicates": 2}
    assert counts(service, "link-1") == {FAILED: 1}


def test_conflicting_claims_are_shown(service):
    """A customer that two users claim is shown with both."""
    for user in ("claim-1", "claim-2"):
        send(service, FAILED, customer="cus_claim", kilo_user_id=user)
    view = service.client.get("/api/console/identities/claim-1").json()
    assert view["conflicting_claims"] == [{"id": "customer:cus_claim", "also_claimed_by": ["user:claim-2"]}]


@pytest.mark.parametrize(
    ("said", "status", "path"),
    [
        ({"stripe_customer_id": " ", "kilo_user_id": "u"}, 422, "links[0].stripe_customer_id"),
        ({"stripe_customer_id": "cus_1"}, 422, "links[0].kilo_user_id"),
        ({"stripe_customer_id": "cus_1", "kilo_user_id": "anon:1"}, 422, "links[0].kilo_user_id"),
        ({"stripe_customer_id": 1, "kilo_user_id": "u"}, 400, None),
    ],
)
def test_wrong_link_is_refused(service, said, status, path):
    """A link that says nothing is refused with its place, and those beside it count neither."""
    good = {"stripe_customer_id": "cus_none", "kilo_user_id": "none-1"}
    answer = link(service, said, good)
    assert (answer.status_code, answer.json()["error"]["path"]) == (status, path)
    assert service.client.get("/api/console/identities/none-1").status_code == 404


@pytest.mark.parametrize("form", ["csv", "json"])
def test_file_of_links(service, tmp_path, form):
    """`import links` takes a CSV with a head or JSON lines; `pending` lists what still waits."""
    send(service, FAILED, customer=f"cus_{form}")
    file = tmp_path / "links"
    if form == "csv":
        file.write_text("kilo_user_id,stripe_customer_id,organization_id\nfile-csv,cus_csv,\n,cus_org,o1\n")
    else:
        file.write_text('{"stripe_customer_id": "cus_json", "kilo_user_id": "file-json"}\n\n')
    told = CliRunner().invoke(app, ["import", "links", str(file), "--url", str(service.client.base_url)])
    assert (told.exit_code, told.stdout.strip()) == (0, f"accepted {2 if form == 'csv' else 1}, known before 0")
    assert counts(service, f"file-{form}") == {FAILED: 1}
    send(service, DISPUTE, charge=f"ch_{form}")
    listed = CliRunner().invoke(app, ["pending", "--json", "--url", str(service.client.base_url)])
    assert f"charge:ch_{form}" in listed.stdout


@pytest.mark.parametrize("text", ["stripe_customer_id,user\ncus_1,u1\n", '{"stripe_customer_id": "cus_1"}', "{"])
def test_wrong_file_of_links_names_the_line(service, tmp_path, text):
    """A line that holds no link is named, and nothing of the file is taken."""
    file = tmp_path / "links.txt"
    file.write_text(text)
    told = CliRunner().invoke(app, ["import", "links", str(file), "--url", str(service.client.base_url)])
    assert told.exit_code == 1
    assert told.exception.path == f"links.txt:{1 if text.startswith('{') else 2}"
