"""Erasing over HTTP."""

import time

import pytest

TOKENS = [
    {"id": "cloud", "secret": "secret-of-cloud", "scopes": ["write"]},
    {"id": "admin", "secret": "secret-of-admin", "source": "ann", "scopes": ["read", "admin", "records"]},
]
ADMIN = {"CF-Access-Client-Id": "admin", "CF-Access-Client-Secret": "secret-of-admin"}
CLOUD = {"CF-Access-Client-Id": "cloud", "CF-Access-Client-Secret": "secret-of-cloud"}


def wait_until_done(service, key, **options):
    """The erasure once it is done."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        said = service.client.get(f"/api/console/erasures/{key}", **options)
        if said.status_code == 200 and said.json()["done_at"]:
            return said.json()
        time.sleep(0.05)
    raise AssertionError("the erasure did not come to its end")


def test_deletion_is_carried_out(run_service):
    """``user.deleted`` erases in the background; the list and the gauge tell of it; a restart knows it."""
    service = run_service()
    service.post("/api/auth-event", {"kilo_user_id": "gone", "event_type": "signup", "email": "gone@example.net"})
    service.events({"type": "user.deleted", "data": {"kilo_user_id": "gone"}})
    said = wait_until_done(service, "user:gone")
    page = service.client.get("/v1/erasures").json()
    assert (page["in_progress"], page["erasures"]) == (0, [said])
    assert "abuse_erasures_in_progress 0.0" in service.client.get("/metrics").text
    record = service.client.get(f"/v1/identities/{said['identity_key']}").json()
    assert record == service.client.get("/v1/identities/gone").json()
    assert record["identity_key"].startswith("user:~")
    assert service.stop() == 0
    kept = b"".join(path.read_bytes() for path in service.data.rglob("*") if path.is_file())
    assert b"gone@example.net" not in kept
    again = run_service(service.data)
    assert again.client.get("/v1/erasures").json()["erasures"] == [said]
    assert "gone@example.net" not in service.log_text()


def test_operator_asks(guarded):
    """An operator with the scope erases whom he names, also somebody who will be heard of later only."""
    guarded.post("/api/classify", {"ip_address": "192.0.2.9", "user_agent": "x"}, headers=CLOUD)
    for key in ("user:never-seen", "fingerprint:abc"):
        answer = guarded.post(f"/v1/identities/{key}/erase", {"reason": "request 4711"}, headers=ADMIN)
        assert answer.status_code == 200, answer.text
        assert answer.json()["requested_at"]
        assert wait_until_done(guarded, key, headers=ADMIN)["identity_key"].startswith(f"{key.partition(':')[0]}:~")


@pytest.mark.parametrize(
    ("key", "body", "headers", "status"),
    [
        ("user:u", {"reason": "request 1"}, CLOUD, 403),
        ("user:u", {"reason": "request 1"}, {}, 401),
        ("user:u", {}, ADMIN, 400),
        ("user:u", {"reason": " "}, ADMIN, 422),
        ("user:u", {"reason": "ada@example.com asked"}, ADMIN, 422),
        ("user:ada-4711", {"reason": "ada-4711 asked"}, ADMIN, 422),
        ("unheard-of", {"reason": "request 1"}, ADMIN, 404),
    ],
)
def test_wrong_wish_is_refused(guarded, key, body, headers, status):
    """Without the scope, without a reason, or with one that names somebody, nobody is erased."""
    assert guarded.post(f"/v1/identities/{key}/erase", body, headers=headers).status_code == status
    assert guarded.client.get("/v1/identities/user:u/erase", headers=ADMIN).status_code == 405


def test_document_describes_the_wish(run_service):
    """The API's document says what an erasure takes and answers."""
    document = run_service().client.get("/openapi.json").json()
    said = document["paths"]["/v1/identities/{key}/erase"]["post"]
    wish = said["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    assert document["components"]["schemas"][wish]["required"] == ["reason"]
