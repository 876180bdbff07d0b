"""The operators' verbs, as typed in a terminal."""

import json
import os
import subprocess
import sys

import pytest


def run_verb(*words, expect=0, **environment):
    """What a verb prints; its exit status must be the expected one."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ABUSE_")}
    ended = subprocess.run(
        [sys.executable, "-m", "abuse_service", *map(str, words)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=clean | {"COLUMNS": "200"} | environment,
    )
    assert ended.returncode == expect, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout if expect == 0 else ended.stderr


@pytest.fixture(scope="module")
def told(service):
    """A service that was told of a blocked account, which then asked."""
    service.events({"type": "user.blocked", "data": {"kilo_user_id": "u1", "reason": "resold keys"}})
    service.events({"type": "user.email_changed", "data": {"kilo_user_id": "u1"}})
    service.request_id = service.post("/api/classify", {"kilo_user_id": "u1"}).json()["request_id"]
    return service


def test_identity_shows_the_record(told):
    """`identity` shows record, features and decisions; a bare user id works too."""
    for key in ("user:u1", "u1"):
        text = run_verb("identity", key, "--data", told.data)
        assert "HARD_BLOCK" in text
        assert "resold keys" in text
    view = json.loads(run_verb("identity", "u1", "--data", told.data, "--json"))
    assert view["record"]["is_blocked"] is True


def test_explain_names_the_reason(told):
    """`explain` says in a sentence why, with the rule and the values that it read."""
    text = run_verb("explain", told.request_id, "--data", told.data)
    assert "the cloud blocked this account" in text
    assert "identity.is_blocked=True" in text
    view = json.loads(run_verb("explain", told.request_id, "--data", told.data, "--json"))
    assert view["rules"][0]["rule_id"] == "blocked-by-cloud"


def test_tail_shows_the_newest(told):
    """`tail` shows the newest events, one a line; as JSON each with its body."""
    assert "request.classified" in run_verb("tail", "--data", told.data)
    lines = run_verb("tail", "--data", told.data, "--json", "-n", "50").splitlines()
    types = [json.loads(line)["type"] for line in lines]
    assert [name for name in types if name != "service.record_read"][-2:] == ["user.blocked", "request.classified"]


def test_rejected_is_listed_and_retried(told, tmp_path):
    """`rejected list` shows the reason; `rejected retry` drives the mended event through."""
    rows = json.loads(run_verb("rejected", "list", "--data", told.data, "--json"))
    assert rows[0]["path"] == "data.email"
    rejected_id = rows[0]["rejected_id"]
    assert "rejected again" in run_verb("rejected", "retry", rejected_id, "--data", told.data, expect=1)
    mended = tmp_path / "mended.json"
    mended.write_text('{"type":"user.email_changed","data":{"kilo_user_id":"u1","email":"new@example.com"}}')
    assert "accepted 1" in run_verb("rejected", "retry", rejected_id, "--body", mended, "--data", told.data)
    assert "nothing is in quarantine" in run_verb("rejected", "list", "--data", told.data)


def test_enforcement_is_switched(told):
    """`enforcement off` and `on` switch the running service."""
    assert "enforcement is off" in run_verb("enforcement", "off", "--reason", "drill", "--data", told.data)
    assert told.client.get("/readyz").json()["enforcing"] is False
    assert "enforcement is on" in run_verb("enforcement", "on", "--reason", "over", "--data", told.data)


def test_verbs_work_without_a_service(run_service):
    """Once the service is stopped the verbs read the directory themselves, and leave it free."""
    service = run_service()
    service.events({"type": "user.blocked", "data": {"kilo_user_id": "u2"}})
    assert service.stop() == 0
    assert json.loads(run_verb("identity", "u2", "--data", service.data, "--json"))["record"]["is_blocked"] is True
    assert "log at position 3" in run_verb("check", "--data", service.data)
    assert run_service(service.data).identity("u2")["record"]["is_blocked"] is True


def test_unknown_names_are_one_line(told):
    """What is not known is one line and status 1."""
    assert "no identity has this key" in run_verb("identity", "nobody", "--data", told.data, expect=1)
    assert "no decision has this request id" in run_verb("explain", "999999", "--data", told.data, expect=1)
    assert "holds no data of one" in run_verb("identity", "x", "--data", told.data / "nowhere", expect=1)


def test_config_show_hides_secrets():
    """`config show` prints each setting, its value and where it came from; secrets hidden."""
    tokens = '[{"id":"cloud.access","secret":"s3cret-long"}]'
    rows = json.loads(run_verb("config", "show", "--json", ABUSE_TOKENS=tokens, ABUSE_PORT="9000"))
    by_name = {row["setting"]: row for row in rows}
    assert (by_name["ABUSE_PORT"]["value"], by_name["ABUSE_PORT"]["from"]) == (9000, "environment")
    assert (by_name["ABUSE_HOST"]["value"], by_name["ABUSE_HOST"]["from"]) == ("127.0.0.1", "default")
    assert by_name["ABUSE_TOKENS"]["value"][0]["secret"] == "hidden"
    assert "s3cret" not in run_verb("config", "show", ABUSE_TOKENS=tokens)


def test_config_show_lists_files():
    """A setting that is a list of files is shown as one."""
    rows = json.loads(run_verb("config", "show", "--json", ABUSE_NETWORK_FILES='["/etc/abuse/networks.csv"]'))
    assert {row["setting"]: row["value"] for row in rows}["ABUSE_NETWORK_FILES"] == ["/etc/abuse/networks.csv"]


def test_check_names_the_fault(tmp_path):
    """`check` names the place in a policy that does not hold together."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("title: broken\nfeatures: {}\nrules: []\n")
    assert "every policy declares the feature" in run_verb("check", "--policy", policy, expect=1)
    assert "policy    ok" in run_verb("check", "--data", tmp_path / "new")
    networks = tmp_path / "networks.csv"
    networks.write_text("network,kind\n192.0.2.0/24,evil\n")
    files = json.dumps([str(networks)])
    assert "networks.csv line 2: expected one of" in run_verb("check", expect=1, ABUSE_NETWORK_FILES=files)
    assert "setting port" in run_verb("check", expect=1, ABUSE_PORT="x")


def test_lists_are_changed(told):
    """`list add`, `list show` and `list remove` change a list and show it, with reason and end."""
    where = ("--data", told.data)
    added = run_verb("list", "add", "blocked", "ip:192.0.2.9", "--reason", "scraper", "--expires", "7d", *where)
    assert "added, list blocked until 20" in added
    text = run_verb("list", "show", "blocked", *where)
    assert "ip:192.0.2.9" in text
    assert "scraper" in text
    assert "trusted" in run_verb("list", "show", *where)
    assert "removed" in run_verb("list", "remove", "blocked", "ip:192.0.2.9", "--reason", "gone", *where)
    assert "nothing is in it" in run_verb("list", "show", "blocked", *where)
    wrong = run_verb("list", "add", "blocked", "network:192.0.2.0/20", "--reason", "x", *where, expect=1)
    assert "network:192.0.2.0/24" in wrong


def test_explain_names_the_list(told):
    """`explain` says in which list the account stands, by what and why."""
    where = ("--data", told.data)
    run_verb("list", "add", "trusted", "user:listed", "--reason", "our own", *where)
    request_id = told.post("/api/classify", {"kilo_user_id": "listed"}).json()["request_id"]
    assert "in the list trusted by its user: our own" in run_verb("explain", request_id, *where)


def test_erase_waits_until_it_is_done(run_service, tmp_path):
    """`erase` erases while a service runs and without one, and says when it was done; `erasures` lists them."""
    service = run_service(tmp_path / "data")
    for user in ("first-of-two", "second-of-two"):
        service.events({"type": "user.blocked", "data": {"kilo_user_id": user}})
    data = ("--data", service.data)
    assert "is erased since" in run_verb("erase", "user:first-of-two", "--reason", "request 1", "--yes", *data)
    assert "names nobody" in run_verb("erase", "user:x", "--reason", "for a@example.com", "--yes", *data, expect=1)
    assert "Abort" in run_verb("erase", "user:second-of-two", "--reason", "request 2", *data, expect=1)
    assert service.stop() == 0
    said = json.loads(run_verb("erase", "second-of-two", "--reason", "request 2", "--yes", "--json", *data))
    assert said["done_at"]
    page = json.loads(run_verb("erasures", "--json", *data))
    assert (page["in_progress"], page["erasures"][0], len(page["erasures"])) == (0, said, 2)
    assert b"of-two" not in (service.data / "abuse.db").read_bytes()


def test_export_holds_everything(run_service, tmp_path):
    """`export` writes one JSON document with all that is held about a person, with a service and without one alike."""
    service = run_service(tmp_path / "data")
    body = {"kilo_user_id": "ada", "event_type": "signup", "email": "ada@example.net", "ip_address": "192.0.2.7"}
    service.post("/api/auth-event", body | {"stytch_hardware_fingerprint": "hw-ada"})
    for number in range(600):
        service.events({"type": "billing.credit_purchased", "event_id": f"p{number}", "data": PURCHASE})
    service.events({"type": "user.email_changed", "data": {"kilo_user_id": "ada", "email": 5}})
    service.events({"type": "user.blocked", "data": {"kilo_user_id": "grace", "reason": "not ada's"}})
    service.post("/api/console/lists/blocked/add", {"entry": "device:hw-ada", "reason": "seen before"})
    data, file = ("--data", service.data), tmp_path / "ada.json"
    run_verb("export", "ada", "--output", file, *data)
    held = json.loads(file.read_text())
    assert held["identity_key"] == "user:ada"
    assert held["identity"]["record"]["profile"]["email"] == "ada@example.net"
    assert [entry["entry"] for entry in held["lists"]] == ["device:hw-ada"]
    assert [json.loads(entry["body"])["data"]["email"] for entry in held["rejected"]] == [5]
    assert held["cluster"]["members"][0]["identity_key"] == "user:ada"
    assert held["erasure"] is None
    types = [event["type"] for event in held["events"]]
    assert (types.count("billing.credit_purchased"), types.count("auth.signup")) == (600, 1)
    assert next(event["decision"] for event in held["events"] if event["type"] == "account.judged")["reasons"]
    assert "grace" not in file.read_text()
    assert "is there already" in run_verb("export", "ada", "--output", file, *data, expect=1)
    assert "no identity has this key" in run_verb("export", "nobody", *data, expect=1)
    assert service.stop() == 0
    again = json.loads(run_verb("export", "ada", *data))
    assert again["events"] == held["events"]


PURCHASE = {"kilo_user_id": "ada", "microdollars_acquired": 5}


def test_no_sender_steers_the_terminal(told):
    """Escape sequences in ids and addresses reach no terminal; as JSON they are escapes."""
    steering = "\x1b]0;title\x07\x1b[2J\u202e"
    said = {"kilo_user_id": f"s{steering}", "event_type": "signup", "email": f"a{steering}@steer.test"}
    assert told.post("/api/auth-event", said).status_code == 200
    told.events({"type": f"game{steering}", "data": {}}, {"type": f"game{steering}", "data": {"kilo_user_id": "s"}})
    for verb in (
        ("identity", f"user:s{steering}", "--all"),
        ("cluster", f"user:s{steering}"),
        ("find", "--domain", "steer.test"),
        ("tail",),
    ):
        text = run_verb(*verb, "--data", told.data, FORCE_COLOR="1")
        assert "\ufffd" in text
        assert [sign for sign in ("\x1b]", "\x1b[2J", "\x07", "\u202e") if sign in text] == []
