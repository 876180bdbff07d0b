"""Reading persons over HTTP: records, timelines, clusters, searches, and who read them."""

import base64
import functools
import json
import time

import jsonschema
import pytest
from service.tests.test_cli import run_verb

TOKENS = [
    {"id": "cloud", "secret": "secret-of-cloud", "source": "cloud", "scopes": ["write"]},
    {"id": "ops", "secret": "secret-of-ops", "source": "ops", "scopes": ["read"]},
    {"id": "analyst", "secret": "secret-of-analyst", "source": "ada", "scopes": ["records"]},
    {"id": "chief", "secret": "secret-of-chief", "source": "grace", "scopes": ["read", "records", "admin"]},
]
NOW_MS = 1_790_000_000_000


def as_(token_id):
    """The headers of a token."""
    [token] = [token for token in TOKENS if token["id"] == token_id]
    return {"CF-Access-Client-Id": token["id"], "CF-Access-Client-Secret": token["secret"]}


def get(service, path, token=None, **asked):
    """The answer to a GET."""
    return service.client.get(path, params=asked, headers=as_(token) if token else {})


def blocked(user, at, name="user.blocked"):
    """An event about a user."""
    return {"type": name, "occurred_at": at, "data": {"kilo_user_id": user, "reason": f"at {at}"}}


def all_pages(service, path, rows, **asked):
    """The rows of every page, and how many pages there were."""
    found, pages, cursor = [], 0, {}
    while pages == 0 or cursor["cursor"] is not None:
        page = get(service, path, **asked, **cursor).json()
        found += page[rows]
        pages, cursor = pages + 1, {"cursor": page["next"]}
    return found, pages


def once_there(look, number):
    """What is there once it is so many: records of decisions and readings follow their answers."""
    deadline = time.monotonic() + 20
    while len(found := look()) != number and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


# timelines


def test_timeline_is_newest_first(service):
    """Events stand by their own time, whatever order they came in, each with its body; one page after the other."""
    times = [NOW_MS - 1000 * step for step in (5, 1, 3, 2, 4)]
    service.events(*(blocked("t1", at) for at in times))
    found, pages = all_pages(service, "/v1/identities/t1/timeline", "events", limit=2)
    assert [event["body"]["occurred_at"] for event in found] == sorted(times, reverse=True)
    assert pages == 3
    assert found[0]["occurred_at"] == "2026-09-21T14:13:19.000Z"


def test_pages_are_stable(run_service):
    """Events that arrive between two pages move none of the others, before and after they go to disk."""
    service = run_service(snapshot_seconds=0.1)
    service.events(*(blocked("t2", NOW_MS + step) for step in range(50)))
    seen, cursor = [], {}
    for page in range(6):
        answer = get(service, "/v1/identities/user:t2/timeline", limit=10, **cursor).json()
        seen += [event["body"]["occurred_at"] - NOW_MS for event in answer["events"]]
        cursor = {"cursor": answer["next"]}
        service.events(*(blocked("t2", NOW_MS + 1000 + 10 * page + step) for step in range(5)))
        if answer["next"] is None:
            break
    assert seen == list(range(49, -1, -1))


def test_timeline_is_filtered(service):
    """By type, several of them, and by time: from an instant on, and before one."""
    names = ("user.blocked", "user.unblocked", "made.up_type")
    service.events(*(blocked("t3", NOW_MS + step, names[step % 3]) for step in range(9)))
    path = "/v1/identities/t3/timeline"

    def steps(**asked):
        return [event["body"]["occurred_at"] - NOW_MS for event in get(service, path, **asked).json()["events"]]

    assert steps(type="user.blocked") == [6, 3, 0]
    assert steps(type=["user.blocked", "made.up_type"]) == [8, 6, 5, 3, 2, 0]
    assert steps(type="never.seen") == []
    assert steps(since=NOW_MS + 4, until=NOW_MS + 7) == [6, 5, 4]
    assert steps(since="2026-09-21T14:13:20.006Z") == [8, 7, 6]


def test_joined_events_are_there(service):
    """An event that a Stripe id joined stands in its owner's timeline and says so; a decision says what it was."""
    service.events({"type": "stripe.charge.dispute.created", "data": {"charge": "ch_t4"}})
    data = {"charge": "ch_t4", "kilo_user_id": "t4"}
    service.events({"type": "stripe.radar.early_fraud_warning.created", "data": data})
    request_id = service.post("/api/classify", {"kilo_user_id": "t4"}).json()["request_id"]
    events = once_there(lambda: get(service, "/v1/identities/t4/timeline").json()["events"], 3)
    assert {event["type"]: event["is_joined"] for event in events} == {
        "request.classified": False,
        "stripe.radar.early_fraud_warning.created": False,
        "stripe.charge.dispute.created": True,
    }
    assert [event["decision"]["request_id"] for event in events if event["decision"]] == [request_id]


def t5_events(service):
    """A timeline of several pages."""
    return all_pages(service, "/v1/identities/t5/timeline", "events", limit=7)[0]


def test_timeline_survives_power_cuts(run_service):
    """Image and log behind it tell the same timeline as before the power went out."""
    service = run_service(snapshot_seconds=0.1)
    told = []
    for turn in range(3):
        service.events(*(blocked("t5", NOW_MS + 100 * turn + step) for step in range(20)))
        service.post("/api/classify", {"kilo_user_id": "t5"})
        service.post("/api/auth-event", {"kilo_user_id": "t5", "event_type": "signin", "email": "t5@example.com"})
        told = once_there(functools.partial(t5_events, service), 23 * (turn + 1))
        service.kill()
        service = run_service(service.data, snapshot_seconds=0.1)
        assert t5_events(service) == told
    assert len(told) == 69


# searches


def test_search_combines(service):
    """Whatever is asked for must hold together; each result once."""
    for number in range(6):
        sign_in = {
            "event_type": "signin",
            "kilo_user_id": f"s{number}",
            "email": f"Search.{number}@example.org",
            "ip_address": f"198.51.100.{number % 2}",
            "stytch_hardware_fingerprint": f"device-of-{number % 3}",
            "stripe_customer_id": f"cus_s{number}",
            "org_memberships": [{"organization_id": "org-s"}],
        }
        service.post("/api/auth-event", sign_in)
    card = {"card": {"fingerprint": "fp_s4"}, "kilo_user_id": "s4", "id": "pm_s4"}
    service.events(blocked("s4", NOW_MS), {"type": "stripe.payment_method.attached", "data": card})

    def users(**asked):
        found, _ = all_pages(service, "/v1/identities", "identities", limit=2, **asked)
        return sorted(one["identity_key"].removeprefix("user:") for one in found)

    assert users(ip="198.51.100.0") == ["s0", "s2", "s4"]
    assert users(network="198.51.100.0/24", device="device-of-1") == ["s1", "s4"]
    assert users(organization="org-s", blocked="true") == ["s4"]
    assert users(organization="org-s", blocked="false", ip="198.51.100.0") == ["s0", "s2"]
    assert users(email="search.3@EXAMPLE.org") == ["s3"]
    assert users(mailbox="search.3+tag@example.org") == ["s3"]
    assert users(domain="example.org", customer="cus_s5") == ["s5"]
    assert users(card="fp_s4") == ["s4"]
    assert users(user="s2", ip="198.51.100.0") == ["s2"]
    assert users(user="s2", ip="198.51.100.1") == []
    assert users(ip="198.51.100.77") == []
    assert users(organization="org-s", verdict="HARD_BLOCK") == []
    service.post("/api/classify", {"kilo_user_id": "s4"})
    assert users(organization="org-s", verdict="HARD_BLOCK") == ["s4"]


@pytest.mark.parametrize(
    ("path", "asked", "parameter"),
    [
        ("identities", {"limit": "0"}, "limit"),
        ("identities", {"limit": "501"}, "limit"),
        ("identities", {"limit": "²"}, "limit"),
        ("identities", {"limit": "9" * 5000}, "limit"),
        ("identities", {"limit": ["1", "2"]}, "limit"),
        ("identities", {"cursor": "not a cursor"}, "cursor"),
        ("identities", {"cursor": "AAAA"}, "cursor"),
        ("identities", {"ip": "192.0.2.300"}, "ip"),
        ("identities", {"network": "192.0.2.0/20"}, "network"),
        ("identities", {"email": "nobody"}, "email"),
        ("identities", {"device": ""}, "device"),
        ("identities", {"blocked": "yes"}, "blocked"),
        ("identities", {"verdict": "allow"}, "verdict"),
        ("identities", {"surname": "x"}, "surname"),
        ("identities", {"ada@example.com": "x"}, "?"),
        ("identities/q1/timeline", {"since": "yesterday"}, "since"),
        ("identities/q1/timeline", {"until": "-1"}, "until"),
        ("identities/q1/timeline", {"until": "9" * 400}, "until"),
        ("identities/q1/timeline", {"cursor": "%00"}, "cursor"),
        ("identities/q1", {"limit": "3"}, "limit"),
        ("identities/q1/cluster", {"x": "3"}, "x"),
        ("audit", {"type": "x"}, "type"),
    ],
)
def test_bad_queries_name_the_parameter(service, path, asked, parameter):
    """What can't be read is a 400 in the one error shape that names the parameter and repeats no value."""
    service.events(blocked("q1", NOW_MS))
    answer = get(service, f"/v1/{path}", **asked)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["path"]) == ("bad_request", parameter)
    assert "ada@example.com" not in answer.text


@pytest.mark.parametrize("place", [b"\xff" * 16, b"\x80" + bytes(15), bytes(16)])
def test_made_up_cursor_is_a_place_like_any(service, place):
    """A cursor that somebody made up names an instant, however far: the page is what lies below it."""
    service.events(blocked("q2", NOW_MS))
    asked = {"cursor": base64.urlsafe_b64encode(place).decode()}
    answer = get(service, "/v1/identities/q2/timeline", **asked)
    assert answer.status_code == 200
    assert bool(answer.json()["events"]) is (place > bytes(16))


def test_bytes_that_are_no_text_are_refused(service):
    """Escapes that make no UTF-8 are a 400, in a query and in a key."""
    for path in ("identities?email=%ff", "identities/%ff"):
        assert service.client.get(f"/v1/{path}").status_code == 400


def test_unknown_names_are_404(service):
    """A key or a route that is not there is a 404; anything but GET is a 405."""
    for path in ("identities/user:nobody", "identities/nobody/timeline", "identities/nobody/cluster", "nothing"):
        answer = get(service, f"/v1/{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert service.client.delete("/v1/identities/user:nobody").status_code == 405


def test_key_with_a_slash_is_found(service):
    """A user's id may hold anything, also what parts a path."""
    service.events(blocked("a/b%41 ü/timeline", NOW_MS))
    key = "user:a%2Fb%2541%20%C3%BC%2Ftimeline"
    assert get(service, f"/v1/identities/{key}").json()["identity_key"] == "user:a/b%41 ü/timeline"
    assert len(get(service, f"/v1/identities/{key}/timeline").json()["events"]) == 1


def test_old_route_is_an_alias(service):
    """The console's route answers as it did."""
    service.events(blocked("alias", NOW_MS))
    old, new = (get(service, f"{place}/identities/alias").json() for place in ("/api/console", "/v1"))
    assert (old.pop("features"), old) == (new.pop("features"), new)


# scopes and the audit log


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        ("/v1/identities", "cloud", 403),
        ("/v1/identities", "ops", 403),
        ("/v1/identities", "analyst", 200),
        ("/v1/identities/nobody", "ops", 403),
        ("/v1/identities/nobody/timeline", "ops", 403),
        ("/v1/identities/nobody/cluster", "ops", 403),
        ("/v1/audit", "analyst", 403),
        ("/v1/audit", "chief", 200),
        ("/api/console/identities/nobody", "ops", 403),
        ("/api/console/events", "ops", 403),
        ("/api/console/events", "analyst", 200),
        ("/api/console/decisions/1", "ops", 403),
        ("/api/console/rejected", "ops", 403),
        ("/api/console/pending", "ops", 403),
        ("/api/console/lists/trusted", "ops", 403),
        ("/api/console/lists", "ops", 200),
        ("/api/console/policy", "ops", 200),
        ("/api/console/policy", "analyst", 403),
        ("/metrics", "ops", 200),
        ("/metrics", "analyst", 403),
    ],
)
def test_records_need_their_scope(guarded, path, token, status):
    """What names persons needs the scope `records`, who read them `admin`; `read` is for the rest."""
    assert get(guarded, path, token).status_code == status
    assert get(guarded, path).status_code == 401


def test_hits_of_a_rule_need_the_scope(guarded):
    """Whom a rule hit is told to those who may read persons; the rest of the rule to everybody who may read."""
    event = {"events": [blocked("hit", NOW_MS)]}
    guarded.post("/api/events", event, headers=as_("cloud"))
    guarded.post("/api/classify", {"kilo_user_id": "hit"}, headers=as_("cloud"))
    path = "/api/console/policy/why/blocked-by-cloud"
    once_there(lambda: get(guarded, path, "chief").json()["hits"], 1)
    assert [hit["identity_key"] for hit in get(guarded, path, "chief").json()["hits"]] == ["user:hit"]
    assert get(guarded, path, "ops").json()["hits"] == []


def test_each_reading_is_noted(guarded):
    """Who read whose record by which route stands in the log, without a personal value; refused ones do not."""
    sent = {"kilo_user_id": "watched", "event_type": "signin", "email": "watched@example.com"}
    guarded.post("/api/auth-event", sent, headers=as_("cloud"))
    before = len(get(guarded, "/v1/audit", "chief").json()["readings"])
    for path in ("", "/timeline", "/cluster"):
        assert get(guarded, f"/v1/identities/watched{path}", "analyst").is_success
    get(guarded, "/v1/identities", "analyst", email="watched@example.com")
    get(guarded, "/v1/identities/watched", "ops")
    get(guarded, "/v1/identities/unknown", "analyst")
    readings = once_there(lambda: get(guarded, "/v1/audit", "chief").json()["readings"], before + 4)
    new = readings[: len(readings) - before]
    assert [(one["actor"], one["route"], one["identity_key"]) for one in reversed(new)] == [
        ("ada", "record", "user:watched"),
        ("ada", "timeline", "user:watched"),
        ("ada", "cluster", "user:watched"),
        ("ada", "search", None),
    ]
    events = get(guarded, "/api/console/events", "analyst", after=-20).json()["events"]
    noted = [event for event in events if event["type"] == "service.record_read"]
    assert len(noted) >= 4
    assert all(event["identity_key"] is None for event in noted)
    assert "watched" not in json.dumps(noted)


def test_audit_survives_power_cuts(run_service):
    """Who read what is told after a power cut as before, once each; a reading is no event of the person."""
    service = run_service(snapshot_seconds=0.1)
    service.events(blocked("quiet", NOW_MS))
    for _ in range(5):
        get(service, "/v1/identities/quiet")
    readings = once_there(lambda: get(service, "/v1/audit").json()["readings"], 5)
    service.kill()
    again = run_service(service.data)
    assert get(again, "/v1/audit").json()["readings"] == readings
    assert {one["actor"] for one in readings} == {"local"}
    assert get(again, "/v1/identities/quiet").json()["record"]["event_counts"] == {"user.blocked": 1}
    assert len(get(again, "/v1/identities/quiet/timeline").json()["events"]) == 1


# the document


def test_answers_fit_the_document(service):
    """Every route below /v1/ is in the API's document, and what it answers fits its schema."""
    service.events(blocked("fits", NOW_MS))
    service.post("/api/classify", {"kilo_user_id": "fits", "ip_address": "192.0.2.5"})
    document = service.client.get("/openapi.json").json()
    every = {path: said for path, said in document["paths"].items() if path.startswith("/v1/")}
    paths = {path: said["get"] for path, said in every.items() if "get" in said}
    assert (len(every), len(paths)) == (8, 7)
    assert len({said["operationId"] for said in paths.values()}) == 7
    for path, said in paths.items():
        schema = said["responses"]["200"]["content"]["application/json"]["schema"]
        answer = get(service, path.replace("{key}", "fits"))
        jsonschema.validate(answer.json(), schema | {"components": document["components"]})
        refusal = get(service, path.replace("{key}", "fits"), surely="not")
        assert refusal.status_code == 400
        error = said["responses"]["400"]["$ref"].rsplit("/", 1)[1]
        shape = document["components"]["responses"][error]["content"]["application/json"]["schema"]
        jsonschema.validate(refusal.json(), shape | {"components": document["components"]})


# verbs


def test_verbs_show_persons(service):
    """`identity` in short and whole, `timeline`, `find` and `audit`, as text and as JSON."""
    service.post("/api/auth-event", {"kilo_user_id": "cli", "event_type": "signin", "email": "cli@example.com"})
    service.events(blocked("cli", NOW_MS))
    service.post("/api/classify", {"kilo_user_id": "cli"})
    where = ("--data", service.data)
    short, whole = run_verb("identity", "cli", *where), run_verb("identity", "cli", "--all", *where)
    assert "cli@example.com" in short.splitlines()[0]
    assert f"blocked by the cloud since 2026-09-21T14:13:20.000Z: at {NOW_MS}" in short
    assert "the cloud blocked this account" in short
    assert ("features" in short, "features" in whole) == (False, True)
    assert "user.blocked" in run_verb("timeline", "user:cli", "--type", "user.blocked", *where)
    page = json.loads(run_verb("timeline", "cli", "--json", "-n", "1", *where))
    assert (len(page["events"]), page["next"] is None) == (1, False)
    found = json.loads(run_verb("find", "--email", "cli@example.com", "--blocked", "--json", *where))
    assert [one["identity_key"] for one in found["identities"]] == ["user:cli"]
    assert "user:cli" in run_verb("find", "--email", "cli@example.com", *where)
    assert "nobody fits" in run_verb("find", "--email", "cli@example.com", "--not-blocked", *where)
    assert "(email)" in run_verb("find", "--email", "nobody", *where, expect=1)
    text = run_verb("audit", *where)
    assert "timeline" in text
    assert "local" in text
    assert json.loads(run_verb("audit", "--json", "-n", "1", *where))["readings"][0]["actor"] == "local"
