"""Start, stop, and start again."""

import subprocess
import sys
import threading
import time

import httpx


def blocked(user):
    return {"type": "user.blocked", "data": {"kilo_user_id": user, "reason": "spam"}}


def test_second_process_is_refused(run_service):
    """A second process on the same data directory is refused with a clear message; the first is not disturbed."""
    service = run_service()
    command = [sys.executable, "-m", "abuse_service", "serve", "--port", "0", "--data", str(service.data)]
    ended = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    assert ended.returncode == 1
    assert f"in use by process {service.process.pid}" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert service.events(blocked("u")).status_code == 202


def test_stop_drains_and_exits_0(run_service):
    """SIGTERM under load: what was taken is answered, the rest refused, and the process ends with 0 within 5 s."""
    service = run_service()
    url = str(service.client.base_url)
    acknowledged = []

    def send(number):
        with httpx.Client(base_url=url, timeout=10, trust_env=False) as client:
            for step in range(100_000):
                event = {"type": "user.unblocked", "event_id": f"{number}-{step}", "data": {"kilo_user_id": "u"}}
                try:
                    if client.post("/api/events", json={"events": [event]}).status_code == 202:
                        acknowledged.append(event["event_id"])
                except httpx.HTTPError:
                    return

    threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    began = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - began < 5
    for thread in threads:
        thread.join()
    again = run_service(service.data)
    kept, position = [], 0
    while events := again.log_events(position):
        kept += [event["body"]["event_id"] for event in events if event["source"] != "service"]
        position = events[-1]["position"]
    assert len(acknowledged) > 20
    assert set(acknowledged) <= set(kept)
    assert len(set(kept)) == len(kept)


def test_stop_ends_hanging_requests(run_service):
    """A sender that never ends its request can't hold the shutdown up."""
    service = run_service()
    host, port = service.client.base_url.host, service.client.base_url.port
    import socket

    with socket.create_connection((host, port)) as hanging:
        hanging.sendall(b"POST /api/events HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        time.sleep(0.2)
        began = time.monotonic()
        assert service.stop() == 0
        assert time.monotonic() - began < 5


def test_restart_answers_alike(run_service):
    """After a stop and a start every record, decision and switch is as it was."""
    service = run_service()
    service.post("/api/auth-event", {"kilo_user_id": "u", "event_type": "signup", "email": "u@example.com"})
    service.events(blocked("u"), {"type": "billing.credit_purchased", "data": {"kilo_user_id": "u"}})
    asked = service.post("/api/classify", {"kilo_user_id": "u"}).json()
    service.post("/api/console/enforcement", {"is_enforced": False, "reason": "drill"})
    before = service.identity("u")
    assert service.stop() == 0
    again = run_service(service.data)
    assert again.identity("u") == before
    decision = again.client.get(f"/api/console/decisions/{asked['request_id']}").json()
    assert decision["verdict"] == asked["verdict"] == "HARD_BLOCK"
    assert again.client.get("/readyz").json()["enforcing"] is False
    assert again.post("/api/classify", {"kilo_user_id": "u"}).json()["verdict"] == "ALLOW"


def test_cold_identities_answer_alike(run_service):
    """An identity that was forgotten by memory and lives on disk answers as a hot one does."""
    service = run_service(hot_identities=100, snapshot_seconds=0.1)
    service.events(blocked("early"))
    hot = service.identity("user:early")
    for start in range(0, 2000, 500):
        service.events(*(blocked(f"u{number}") for number in range(start, start + 500)))
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and _hot_states(service) > 100:
        time.sleep(0.1)
    assert _hot_states(service) <= 100
    assert service.identity("user:early") == hot
    assert service.post("/api/classify", {"kilo_user_id": "early"}).json()["verdict"] == "HARD_BLOCK"


def test_enforcement_off_still_tells(service):
    """One switch turns all enforcement off: ALLOW, while the decision says what it would have been."""
    service.events(blocked("switched"))
    assert service.post("/api/classify", {"kilo_user_id": "switched"}).json()["verdict"] == "HARD_BLOCK"
    service.post("/api/console/enforcement", {"is_enforced": False, "reason": "drill"})
    off = service.post("/api/classify", {"kilo_user_id": "switched"}).json()
    service.post("/api/console/enforcement", {"is_enforced": True, "reason": "end of drill"})
    assert (off["verdict"], off["rules_engine"]["resolved_action"]) == ("ALLOW", "nothing")
    assert off["signals"] == ["known_abuser"]
    time.sleep(0.1)
    decision = service.client.get(f"/api/console/decisions/{off['request_id']}").json()
    assert (decision["would_be"], decision["is_enforced"]) == ("HARD_BLOCK", False)
    assert service.post("/api/classify", {"kilo_user_id": "switched"}).json()["verdict"] == "HARD_BLOCK"


def _hot_states(service):
    line = next(line for line in service.client.get("/metrics").text.splitlines() if line.startswith("abuse_hot"))
    return float(line.split()[1])
