"""Policies that change while the service runs: over HTTP, by verbs, through restarts and power cuts."""

import json
import subprocess
import sys
import time

import pytest
from service.tests.test_cli import run_verb

RULES = """
rules:
  - id: many
    title: Many requests ever
    signal: many
    when: asked >= threshold.most
    reason: "{asked} requests"
    weight: 0.9
    evidence: confirmed
    verdict: HARD_BLOCK
    action: block
    triage: Look who asks.
    cases:
      - {name: enough, given: {asked: 900}, fires: true}
"""
TOKENS = [
    {"id": "reader", "secret": "a-secret-of-one", "source": "reader", "scopes": ["read"]},
    {"id": "chief", "secret": "a-secret-of-two", "source": "ada", "scopes": ["read", "write", "admin"]},
]


def policy_text(most: int, window: str = "life", title: str = "A policy") -> str:
    """A policy that blocks after so many requests."""
    return f"""
title: {title}
thresholds: {{most: {most}}}
features:
  requests_1m: {{entity: user, events: [request.classified], aggregate: count, window: 1m}}
  spend_1h_microdollars:
    {{entity: user, events: [request.cost_reported], aggregate: sum, value: event.cost, window: 1h}}
  asked: {{entity: user, events: [request.classified], aggregate: count, window: {window}}}
{RULES}"""


@pytest.fixture
def draft(tmp_path):
    """Writes a policy to a file."""

    def write(text, name="policy.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return path

    return write


def unblocked(place):
    """One of many events, over 50 accounts."""
    return {"type": "user.unblocked", "event_id": str(place), "data": {"kilo_user_id": f"u{place % 50}"}}


def verdict(service, user="u1"):
    """What a request is told now."""
    return service.post("/api/classify", {"kilo_user_id": user}).json()["verdict"]


def change(service, verb="activate", **wish):
    """Change the policy."""
    return service.post(f"/api/console/policy/{verb}", {"reason": "a drill"} | wish)


def current(service):
    """The policy in force."""
    return service.client.get("/api/console/policy").json()


def await_filled(service):
    """Wait until no feature is being filled."""
    deadline = time.monotonic() + 30
    while not all(said["is_complete"] for said in current(service)["features"].values()):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_change_holds_from_the_next_request_on(run_service):
    """An activation holds from the next request on, without a restart; a rollback as well, with nothing to fill."""
    service = run_service()
    for _ in range(3):
        assert verdict(service) == "ALLOW"
    answer = change(service, text=policy_text(5)).json()
    assert answer["is_changed"] is True
    await_filled(service)
    assert verdict(service) == "ALLOW"
    assert verdict(service) == "HARD_BLOCK"
    assert change(service, text=policy_text(5)).json()["is_changed"] is False
    assert change(service, text=policy_text(100)).json()["features"]["asked"]["is_complete"] is True
    assert verdict(service) == "ALLOW"
    assert change(service, "rollback").json()["version"] == answer["version"]
    assert verdict(service) == "HARD_BLOCK"


def test_decisions_name_the_version(run_service):
    """Each decision names the version under which it was taken."""
    service = run_service()
    versions = []
    for most in (4, 5):
        change(service, text=policy_text(most))
        asked = service.post("/api/classify", {"kilo_user_id": "u1"}).json()["request_id"]
        time.sleep(0.1)
        decision = service.client.get(f"/api/console/decisions/{asked}").json()
        assert decision["policy_version"] == current(service)["version"]
        versions.append(decision["policy_version"])
    assert len(set(versions)) == 2


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (policy_text(1000), "rules[0].cases.enough"),
        (policy_text(5).replace("asked >=", "askd >="), "rules[0].when"),
        (policy_text(5).replace("aggregate: count", "aggregate: cont"), "features.requests_1m.aggregate"),
        ("title: [", ""),
    ],
)
def test_bad_policy_is_refused(service, text, path):
    """A policy that does not hold together is refused with the place of the fault; the one in force goes on."""
    before = current(service)["version"]
    refused = change(service, text=text)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_policy")
    assert (refused.json()["error"].get("path") or "") == path
    tried = service.post("/api/console/policy/check", {"text": text}).json()
    assert (tried["is_sound"], tried["errors"]) == (False, [refused.json()["error"]])
    assert tried["errors"][0]["details"]["text"]
    assert current(service)["version"] == before


def test_refusal_shows_the_spot(service):
    """A refused policy is answered in the one shape of errors, with file, line, column and the line as it is marked."""
    text = policy_text(5).replace("asked >=", "askd >=")
    line = next(number for number, said in enumerate(text.split("\n"), 1) if "askd >=" in said)
    error = change(service, text=text).json()["error"]
    details = error.pop("details")
    assert error == {
        "code": "invalid_policy",
        "message": "unknown name askd; did you mean asked?",
        "path": "rules[0].when",
    }
    column = text.split("\n")[line - 1].index("askd") + 1
    assert (details["file"], details["line"], details["column"]) == ("policy.yaml", line, column)
    _, shown, mark = details["text"].split("\n")
    assert "askd >=" in shown
    assert (mark.index("^"), mark.count("^")) == (shown.index("askd"), 4)


def test_check_changes_nothing(service):
    """A sound draft is told with what it would change, and stays a draft."""
    before = current(service)["version"]
    tried = service.post("/api/console/policy/check", {"text": policy_text(5)}).json()
    assert (tried["is_sound"], tried["counts"]) == (True, {"features": 3, "rules": 1, "cases": 1})
    assert "rule many: added, Many requests ever" in tried["diff"]
    assert current(service)["version"] == before


@pytest.mark.parametrize(
    ("verb", "wish", "status"),
    [
        ("activate", {"reason": " ", "text": "x"}, 422),
        ("activate", {}, 400),
        ("activate", {"text": "x", "version": "abcd"}, 400),
        ("activate", {"version": "0000"}, 404),
        ("activate", {"text": "x", "odd": 1}, 400),
        ("rollback", {}, 400),
        ("unknown", {}, 404),
    ],
)
def test_odd_wish_is_refused(run_service, verb, wish, status):
    """A change without a reason, without a policy, or to an unknown one is refused."""
    assert change(run_service(), verb, **wish).status_code == status


def test_reading_needs_read_and_changing_admin(guarded):
    """Who may read may look and try; only an admin changes."""
    reader = {"CF-Access-Client-Id": "reader", "CF-Access-Client-Secret": "a-secret-of-one"}
    chief = {"CF-Access-Client-Id": "chief", "CF-Access-Client-Secret": "a-secret-of-two"}
    wish = {"text": policy_text(7), "reason": "r"}
    assert guarded.client.get("/api/console/policy", headers=reader).status_code == 200
    assert guarded.post("/api/console/policy/check", {"text": policy_text(7)}, headers=reader).status_code == 200
    assert guarded.post("/api/console/policy/activate", wish, headers=reader).status_code == 403
    assert guarded.post("/api/console/policy/activate", wish, headers=chief).status_code == 200
    history = guarded.client.get("/api/console/policy/history", headers=reader).json()["history"]
    assert [(line["actor"], line["cause"], line["reason"]) for line in history] == [
        ("ada", "activate", "r"),
        ("settings", "settings", "the settings name it"),
    ]


def test_changes_survive_a_power_cut(run_service):
    """What was activated is in force after a power cut, with its history and the text of every version."""
    service = run_service()
    for most in (4, 5, 6):
        change(service, text=policy_text(most))
    change(service, "rollback")
    history = service.client.get("/api/console/policy/history").json()
    in_force = current(service)["version"]
    service.kill()
    again = run_service(service.data)
    assert again.client.get("/api/console/policy/history").json() == history
    assert current(again)["version"] == in_force
    versions = again.client.get("/api/console/policy/versions").json()["versions"]
    texts = [again.client.get(f"/api/console/policy/versions/{one['version']}").json()["text"] for one in versions]
    assert texts[1:] == [policy_text(most) for most in (4, 5, 6)]
    assert change(again, "rollback").json()["version"] == versions[1]["version"]


def test_fill_survives_power_cuts(run_service):
    """A power cut while a feature is filled loses nothing and counts nothing twice; until then its rule abstains."""
    service = run_service(snapshot_seconds=0.05, snapshot_events=100)
    for start in range(0, 30_000, 200):
        service.events(*(unblocked(place) for place in range(start, start + 200)))
    feature = "asked: {entity: user, events: [request.classified]"
    change(service, text=policy_text(601).replace(feature, feature.replace("request.classified", "user.unblocked")))
    asked = service.post("/api/classify", {"kilo_user_id": "u7"}).json()["request_id"]
    time.sleep(0.1)
    [abstained] = service.client.get(f"/api/console/decisions/{asked}").json()["rules"]
    assert abstained["state"] == "abstained"
    assert abstained["why_abstained"].startswith("asked is being filled, ")
    shares = []
    for _ in range(4):
        time.sleep(0.2)
        service.kill()
        service = run_service(service.data, snapshot_seconds=0.05, snapshot_events=100)
        shares.append(current(service)["features"]["asked"]["share_filled"])
    assert shares == sorted(shares)
    assert shares[-1] > 0
    await_filled(service)
    assert service.identity("u7")["features"]["asked"] == 600
    assert "abuse_features_filling 0.0" in service.client.get("/metrics").text


def test_restart_with_another_file_fills(run_service, draft):
    """A service that starts with another policy is ready at once, and fills what is new."""
    service = run_service(policy=draft(policy_text(50)))
    for _ in range(4):
        verdict(service)
    assert service.stop() == 0
    draft(policy_text(5, window="30d"))
    again = run_service(service.data, policy=service.settings["policy"], log_format="json")
    assert '"recovered_events": 0' in again.log_text()
    await_filled(again)
    assert verdict(again) == "HARD_BLOCK"
    history = again.client.get("/api/console/policy/history").json()["history"]
    assert [line["cause"] for line in history] == ["settings", "settings"]


def test_operators_choice_outlives_restarts(run_service, draft):
    """What an operator activated stays in force through restarts until the file's content changes."""
    service = run_service(policy=draft(policy_text(50)))
    chosen = change(service, text=policy_text(4)).json()["version"]
    service.stop()
    service = run_service(service.data, policy=service.settings["policy"])
    assert current(service)["version"] == chosen
    service.stop()
    draft(policy_text(60))
    service = run_service(service.data, policy=service.settings["policy"])
    assert current(service)["thresholds"] == {"most": 60}


def test_bad_file_keeps_the_old_policy(run_service, draft):
    """A restart with a file that does not hold together goes on with the policy that was in force, and says so."""
    service = run_service(policy=draft(policy_text(50)))
    service.stop()
    draft("title: broken")
    service = run_service(service.data, policy=service.settings["policy"])
    assert current(service)["thresholds"] == {"most": 50}
    assert "the settings' policy is refused" in service.log_text()


# verbs


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """A folder with two policies, a bad one, and one whose case fails."""
    folder = tmp_path_factory.mktemp("policies")
    for name, text in {
        "five": policy_text(5),
        "six": policy_text(6, title="Another"),
        "bad": policy_text(5).replace("asked >=", "askd >="),
        "odd": policy_text(1000),
    }.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


def test_verbs_on_files(told):
    """`check`, `test` and `diff` need no service; a fault is shown with file and line, a failed case by status 1."""
    assert "ok  version" in run_verb("policy", "check", told / "five.yaml")
    shown = run_verb("policy", "check", told / "bad.yaml", expect=1)
    assert "bad.yaml:14:11: rules[0].when" in shown
    assert "1 cases, 0 failed" in run_verb("policy", "test", told / "five.yaml")
    rows = run_json("policy", "test", told / "odd.yaml", expect=1)
    assert rows["cases"] == [{"rule": "many", "case": "enough", "expected": "fires", "found": "silent"}]
    lines = run_json("policy", "diff", told / "five.yaml", told / "six.yaml")["lines"]
    assert lines == ["title: from `A policy` to `Another`", "threshold most: from 5 to 6"]


def run_json(*words, expect=0):
    """What a verb prints with ``--json``."""
    command = [sys.executable, "-m", "abuse_service", *map(str, words), "--json"]
    ended = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert ended.returncode == expect, ended.stderr
    return json.loads(ended.stdout)


def test_verbs_change_the_running_service(run_service, told):
    """`activate`, `rollback`, `history`, `show`, `diff` and `why` speak with the running service."""
    service = run_service()
    data = ("--data", service.data)
    first = current(service)["version"]
    shown = run_verb("policy", "activate", told / "five.yaml", "--reason", "drill", *data)
    assert f"before it was {first}" in shown
    assert "bad.yaml:14" in run_verb("policy", "activate", told / "bad.yaml", "--reason", "drill", *data, expect=1)
    assert "many " in run_verb("policy", "show", *data)
    assert run_verb("policy", "diff", told / "six.yaml", *data).splitlines()[1] == "threshold most: from 5 to 6"
    for _ in range(5):
        verdict(service, "u9")
    time.sleep(0.1)
    shown = run_verb("policy", "why", "many", *data)
    for part in ("Look who asks.", "threshold.most = 5", "case enough: fires", "user:u9  5 requests"):
        assert part in shown
    assert "no rule with this id" in run_verb("policy", "why", "none", *data, expect=1)
    assert f"version {first} is in force" in run_verb("policy", "rollback", "--reason", "over", *data)
    assert [line["cause"] for line in run_json("policy", "history", *data)] == ["rollback", "activate", "settings"]
    five = run_json("policy", "history", *data)[1]["version"]
    run_verb("policy", "activate", five, "--reason", "again", *data)
    assert current(service)["version"] == five


def test_verbs_work_on_the_directory(run_service, told):
    """Without a service the verbs change the directory itself; reading verbs leave the policy in force what it is."""
    service = run_service()
    service.stop()
    data = ("--data", service.data)
    run_verb("policy", "activate", told / "five.yaml", "--reason", "drill", *data)
    run_verb("identity", "nobody", *data, expect=1)
    assert run_json("policy", "show", *data)["thresholds"] == {"most": 5}
    assert current(run_service(service.data))["thresholds"] == {"most": 5}
