"""A full disk: clear errors, nothing acknowledged, and life goes on once there is room."""

import resource
import sys

import pytest

pytestmark = pytest.mark.skipif(
    not hasattr(resource, "prlimit"), reason=f"{sys.platform} can't limit the files of a running process"
)


def limit_files(service, size):
    """No file of the service may grow beyond ``size``; ``None`` lifts it. What a full disk looks like to SQLite."""
    infinity = resource.RLIM_INFINITY
    resource.prlimit(service.process.pid, resource.RLIMIT_FSIZE, (infinity if size is None else size, infinity))


def purchase(number):
    data = {"kilo_user_id": "u", "microdollars_acquired": 1, "note": "x" * 2000}
    return {"type": "billing.credit_purchased", "event_id": f"p-{number}", "data": data}


def test_full_disk_answers_503(run_service):
    """While the disk is full each endpoint answers 503 with a clear error and acknowledges nothing; afterwards what was
    acknowledged is there, once, and new events are taken."""
    service = run_service()
    taken = [number for number in range(20) if service.events(purchase(number)).status_code == 202]
    assert len(taken) == 20
    limit_files(service, max(path.stat().st_size for path in service.data.iterdir()) + 50_000)
    refused = 0
    for number in range(20, 120):
        answer = service.events(purchase(number))
        if answer.status_code == 202:
            taken.append(number)
            continue
        refused += 1
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "storage_unavailable"
        assert "nothing was acknowledged" in answer.json()["error"]["message"]
        assert answer.headers["retry-after"] == "1"
    assert refused > 50
    auth = {"kilo_user_id": "u", "event_type": "signin", "email": "u@example.com"}
    assert service.post("/api/auth-event", auth).status_code == 503
    assert service.post("/api/usage/cost", {"request_id": 1, "message_id": "m", "cost": 1}).status_code == 503
    assert service.client.get("/readyz").status_code == 503
    assert service.client.get("/healthz").status_code == 200
    asked = service.post("/api/classify", {"kilo_user_id": "u"})
    assert asked.status_code == 200
    assert asked.json()["request_id"] > 0
    assert service.identity("user:u")["record"]["credits"]["purchases"] == len(taken)

    limit_files(service, None)
    assert service.events(purchase(1000)).status_code == 202
    taken.append(1000)
    assert service.client.get("/readyz").status_code == 200
    assert service.stop() == 0
    again = run_service(service.data)
    kept = [event["body"]["event_id"] for event in again.log_events() if event["type"] == "billing.credit_purchased"]
    assert kept == [f"p-{number}" for number in taken]
    assert again.identity("user:u")["record"]["credits"]["purchases"] == len(taken)
    assert again.client.get(f"/api/console/decisions/{asked.json()['request_id']}").status_code == 200


def test_full_disk_keeps_old_snapshot(run_service):
    """A snapshot that finds no room leaves the old one in force, and the service starts from it."""
    service = run_service(snapshot_seconds=0.1)
    for number in range(10):
        service.events(purchase(number))
    limit_files(service, max(path.stat().st_size for path in service.data.iterdir()) + 20_000)
    for number in range(10, 40):
        service.events(purchase(number))
    purchases = service.identity("user:u")["record"]["credits"]["purchases"]
    service.kill()
    again = run_service(service.data)
    assert again.identity("user:u")["record"]["credits"]["purchases"] == purchases
