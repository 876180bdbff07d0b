"""Requests as today's TypeScript client emits them, byte for byte, over HTTP and read back."""

import json
import re
import time

import pytest

TOKEN = re.compile("~[0-9a-f]{32}")
PROMPT_TOKEN = re.compile(r"~[0-9a-f]{32}/\d+")
ENDPOINTS = {
    "classify": "/api/classify",
    "usage-cost": "/api/usage/cost",
    "auth-event": "/api/auth-event",
    "events": "/api/events",
}
HALF = re.compile("[\ud800-\udfff]")


def mended(node):
    """Halves of surrogate pairs as U+FFFD, everything else as it came."""
    if isinstance(node, dict):
        return {name: mended(item) for name, item in node.items()}
    if isinstance(node, list):
        return [mended(item) for item in node]
    return HALF.sub("\ufffd", node) if isinstance(node, str) else node


def files(golden, slug):
    return sorted(golden.glob(f"*.{slug}.json"))


@pytest.mark.parametrize("slug", ENDPOINTS)
def test_golden_requests_come_back(run_service, golden, slug):
    """Each request of today gets a 2xx, and each of its fields is read back from the log."""
    service = run_service()
    for path in files(golden, slug):
        body = path.read_bytes()
        position = service.log_events(-1)[-1]["position"] if service.log_events(-1) else 0
        answer = service.post(ENDPOINTS[slug], body)
        assert answer.is_success, (path.name, answer.text)
        sent = mended(json.loads(body))
        kept = [event["body"] for event in wait_for_events(service, position, slug, sent)]
        if slug == "classify":
            # A token stands where a prompt stood, and tells its length alone (ADR 0018).
            for name in ("user_prompt", "system_prompt"):
                prompt, token = sent.pop(name, None), kept[0].pop(name, None)
                assert bool(token) == bool(prompt), path.name
                assert not prompt or PROMPT_TOKEN.fullmatch(token), path.name
        for one, said in zip(kept, sent["events"], strict=True) if slug == "events" else ():
            if said["type"] == "user.deleted":
                # Who is deleted is named by a token from this event on, and what nobody knows goes (ADR 0023).
                assert TOKEN.fullmatch(one["data"].pop("kilo_user_id")), path.name
                said["data"] = {}
        assert kept == (sent["events"] if slug == "events" else [sent]), path.name


def wait_for_events(service, position, slug, sent):
    wanted = len(sent["events"]) if slug == "events" else 1
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = [event for event in service.log_events(position) if event["type"] != "account.judged"]
        if len(found) >= wanted:
            return found
        time.sleep(0.01)
    raise AssertionError(f"expected {wanted} events, found {found}")


def test_todays_answers_are_whole(service, golden):
    """Classify answers with the whole answer of the contract, to the last field and type."""
    answer = service.post("/api/classify", (golden / "01-signed-in-user.classify.json").read_bytes()).json()
    assert set(answer) == {
        "verdict",
        "risk_score",
        "signals",
        "action_metadata",
        "context",
        "request_id",
        "rules_engine",
    }
    assert answer["verdict"] == "ALLOW"
    assert isinstance(answer["risk_score"], float)
    assert answer["context"]["identity_key"] == "user:user-1"
    assert isinstance(answer["context"]["current_spend_1h"], float)
    assert answer["context"]["is_new_user"] is True
    assert answer["context"]["requests_per_second"] == pytest.approx(1 / 60)
    assert answer["rules_engine"] == {
        "matches": [],
        "sus_score": 0.0,
        "resolved_action": None,
        "matched_abuse_rule_ids": [],
    }
    assert 1 <= answer["request_id"] < 2**53


def test_sign_up_fills_the_record(service, golden):
    """Every field of a sign-up has its place in the record."""
    body = (golden / "40-sign-up.auth-event.json").read_bytes()
    sent = {name: value for name, value in json.loads(body).items() if value not in (None, [])}
    service.post("/api/auth-event", body)
    record = service.identity(f"user:{sent['kilo_user_id']}")["record"]
    for name in ("kilo_user_id", "event_type"):
        sent.pop(name)
    snapshot = {name: sent.pop(name) for name in list(sent) if name.startswith("signup_")}
    assert record["signup"] == snapshot
    assert {name: record["profile"].get(name) for name in sent} == sent


def test_slash_before_path_works(service):
    """A client that joins URL and path by plain concatenation is answered."""
    assert service.post(f"{service.client.base_url}//api/classify", {}).status_code == 200


def test_later_cost_joins_by_request(service):
    """A cost report that names nobody counts for whom the classification named."""
    asked = service.post("/api/classify", {"ip_address": "192.0.2.9", "user_agent": "ua"}).json()
    report = {"request_id": asked["request_id"], "message_id": "m-join", "cost": 1200}
    answer = service.post("/api/usage/cost", report).json()
    assert answer == {
        "success": True,
        "identity_key": asked["context"]["identity_key"],
        "message_id": "m-join",
        "do_updated": True,
        "error": None,
    }
    again = service.post("/api/usage/cost", report).json()
    assert again["do_updated"] is False
    assert service.identity(answer["identity_key"])["record"]["spend"]["cost_microdollars"] == 1200
