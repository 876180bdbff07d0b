"""Lists over HTTP, and after a power cut (decision 0015)."""

import pytest

READ = {"id": "reader", "secret": "secret-of-reader", "scopes": ["read", "records", "write"]}
ADMIN = {"id": "admin", "secret": "secret-of-admin", "source": "ada", "scopes": ["read", "write", "admin"]}
TOKENS = [READ, ADMIN]


def as_(token):
    """The headers of a token."""
    return {"CF-Access-Client-Id": token["id"], "CF-Access-Client-Secret": token["secret"]}


def change(service, list_name, verb, entry, token=None, **said):
    """Ask for a change."""
    body = {"entry": entry, "reason": "seen before"} | said
    return service.post(f"/api/console/lists/{list_name}/{verb}", body, headers=as_(token) if token else {})


def verdict(service, user, **fields):
    """What a request of a user gets."""
    return service.post("/api/classify", {"kilo_user_id": user} | fields).json()["verdict"]


def test_entry_blocks_at_once(service):
    """From the answer on an added entry counts, and a removed one no longer."""
    assert change(service, "blocked", "add", "user:l1", expires="7d").json()["expires_at"].endswith("Z")
    assert verdict(service, "l1") == "HARD_BLOCK"
    [entry] = service.client.get("/api/console/lists/blocked").json()["entries"]
    assert (entry["entry"], entry["reason"], entry["kind"]) == ("user:l1", "seen before", "user")
    assert change(service, "blocked", "remove", "user:l1").status_code == 200
    assert verdict(service, "l1") == "ALLOW"
    lists = {one["list"]: one["entries"] for one in service.client.get("/api/console/lists").json()["lists"]}
    assert lists == {"blocked": 0, "trusted": 0, "unblocked": 1}


@pytest.mark.parametrize(
    ("list_name", "verb", "said", "status", "path"),
    [
        ("blocked", "add", {"entry": "network:192.0.2.0/25"}, 422, "entry"),
        ("blocked", "add", {"entry": "user:x", "reason": " "}, 422, "reason"),
        ("blocked", "add", {"entry": "user:x", "expires": "soon"}, 422, "expires"),
        ("blocked", "add", {"entry": "user:x", "expires": "0d"}, 422, "expires"),
        ("blocked", "add", {"entry": "user:x", "until": "never"}, 400, None),
        ("blocked", "remove", {"entry": "user:nobody"}, 404, "entry"),
        ("nothing", "add", {"entry": "user:x"}, 404, None),
        ("blocked", "drop", {"entry": "user:x"}, 404, None),
    ],
)
def test_wrong_change_is_refused(service, list_name, verb, said, status, path):
    """A change that can't be made is refused with its place, and changes nothing."""
    before = service.client.get("/api/console/lists").json()
    answer = change(service, list_name, verb, **said)
    assert (answer.status_code, answer.json()["error"]["path"]) == (status, path)
    assert service.client.get("/api/console/lists").json() == before


def test_changes_are_for_admins(guarded):
    """Who may read sees the entries; only an admin changes them, and the log says who did."""
    assert change(guarded, "blocked", "add", "user:x", READ).status_code == 403
    assert change(guarded, "blocked", "add", "user:x", ADMIN).status_code == 200
    [entry] = guarded.client.get("/api/console/lists/blocked", headers=as_(READ)).json()["entries"]
    assert entry["actor"] == "ada"


def test_change_is_an_event(service):
    """Each change stands in the log with what the operator wrote."""
    change(service, "trusted", "add", "domain:example.com")
    [event] = service.log_events(-1)
    assert (event["type"], event["source"]) == ("service.list_changed", "service")
    assert event["body"]["entry"] == "domain:example.com"
    assert [one["kind"] for one in event["entities"]] == ["email_domain"]


@pytest.mark.parametrize("snapshot_seconds", [0.1, 3600])
def test_lists_survive_a_power_cut(run_service, snapshot_seconds):
    """After a power cut the same entries stand in the lists, from the image and from the log."""
    service = run_service(snapshot_seconds=snapshot_seconds)
    for number in range(20):
        change(service, "blocked", "add", f"user:c{number}")
        verdict(service, f"c{number}")
    change(service, "blocked", "remove", "user:c0")
    kept = {name: service.client.get(f"/api/console/lists/{name}").json() for name in ("blocked", "unblocked")}
    service.kill()
    again = run_service(service.data)
    assert {name: again.client.get(f"/api/console/lists/{name}").json() for name in kept} == kept
    assert (verdict(again, "c1"), verdict(again, "c0")) == ("HARD_BLOCK", "ALLOW")
