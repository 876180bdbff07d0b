"""The guard and the switch as an operator meets them: over HTTP, in the verbs, and after a power cut."""

import json
import os
import subprocess
import sys

from abuse_service.testing import HARD_RULE, policy_text


def verb(*words):
    """What a verb prints."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ABUSE_")}
    command = [sys.executable, "-m", "abuse_service", *map(str, words)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env=clean)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def hit(service, user):
    """A request that the rule is about."""
    return service.post("/api/classify", {"kilo_user_id": user, "max_tokens": 1}).json()


def start(run_service, tmp_path):
    """A service under a guard of three paying accounts, with five that paid."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(policy_text(HARD_RULE, head="guard: {paying_accounts: 3, window: 1h}"))
    service = run_service(policy=policy, classify_wait_for_disk="true")
    paid = {"microdollars_acquired": 5, "is_free": False}
    service.events(*({"type": "billing.credit_purchased", "data": {"kilo_user_id": f"p{n}"} | paid} for n in range(5)))
    return service, policy


def test_guarded_rule_waits_for_a_person(run_service, tmp_path):
    """A rule that hit too many raises an alarm, shows everywhere, survives a power cut and is released by a person."""
    service, policy = start(run_service, tmp_path)
    assert [hit(service, f"p{number}")["verdict"] for number in range(5)] == ["HARD_BLOCK"] * 4 + ["ALLOW"]
    assert "a rule hit many paying accounts" in service.log_text()
    assert "abuse_guard_trips_total 1.0" in service.client.get("/metrics").text
    service.kill()
    again = run_service(service.data, policy=policy)
    assert hit(again, "p0")["verdict"] == "ALLOW"
    [guarded] = again.client.get("/api/console/policy").json()["guarded"]
    assert (guarded["rule_id"], guarded["paying_accounts"]) == ("hard", 4)
    told = f"hard runs in shadow since {guarded['guarded_at']}: it hit 4 paying accounts within 1h"
    assert told in verb("policy", "show", "--data", again.data)
    why = verb("policy", "why", "hard", "--data", again.data)
    assert "guarded (the policy says live), confirmed evidence" in why
    assert told in why
    assert "abuse-service policy release hard --reason" in why
    answer = again.post("/api/console/rules/light/release", {"reason": "checked"})
    assert answer.status_code == 404
    assert "released" in verb("policy", "release", "hard", "--reason", "a sale began", "--data", again.data)
    assert hit(again, "p0")["verdict"] == "HARD_BLOCK"
    assert "guarded" not in verb("policy", "why", "hard", "--data", again.data).splitlines()[1]
    [released] = [event for event in again.log_events() if event["type"] == "service.rule_released"]
    assert released["body"]["reason"] == "a sale began"


def test_switch_is_said_at_once(service):
    """From the next answer on every one says that enforcement is off, and none says it once it is on again."""
    service.post("/api/console/enforcement", {"is_enforced": False, "reason": "drill"})
    sign_in = {"kilo_user_id": "u1", "event_type": "signin", "email": "ada@example.com"}
    assert service.post("/api/auth-event", sign_in).json()["is_enforced"] is False
    asked = service.post("/api/classify", {"kilo_user_id": "u1"}).json()
    assert asked["context"]["is_enforced"] is False
    service.post("/api/console/enforcement", {"is_enforced": True, "reason": "drill over"})
    assert "is_enforced" not in json.dumps(service.post("/api/classify", {"kilo_user_id": "u1"}).json())
    assert "is_enforced" not in service.post("/api/auth-event", sign_in).json()
