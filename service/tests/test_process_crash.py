"""Durable before acknowledged: a power cut at any moment loses nothing that was acknowledged."""

import random
import threading

import httpx
import pytest

from abuse_service.features.projection import Projection
from abuse_service.identities.states import States
from abuse_service.identities.timeline import Wish, read_page, read_timeline
from abuse_service.replay.retell import retell
from abuse_service.settings import Settings
from abuse_service.storage.states import TABLES
from abuse_service.wiring import Service

CRASHES = 20
SENDERS = 4


class NoColdStates:
    """Nothing on disk but the log: everything is folded from it."""

    def __init__(self, store):
        self.load_event = store.load_event

    def load(self, key):
        """Nothing."""
        return

    def load_owners(self, join):
        """Nobody."""
        return {}

    def load_unnamed(self, join):
        """Nothing."""
        return []

    def unnamed_joins(self):
        """None."""
        return []


class Load:
    """Senders that write down what was acknowledged, until the service is gone."""

    def __init__(self, run):
        self.run = run
        self.acknowledged = []
        self.request_ids = []
        self._costs = []

    def drive(self, url, number, started):
        """Send all kinds of requests, one after the other."""
        chance = random.Random(self.run * 100 + number)
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            step = 0
            while True:
                step += 1
                try:
                    self._step(client, chance, f"{self.run}-{number}-{step}")
                except httpx.HTTPError:
                    return
                started.set()

    def _step(self, client, chance, name):
        user = f"u{chance.randrange(8)}"
        kind = chance.randrange(4)
        if kind == 0:
            body = {"kilo_user_id": user, "requested_model": "m", "ip_address": f"192.0.2.{chance.randrange(3)}"}
            request_id = client.post("/api/classify", json=body).json()["request_id"]
            self.request_ids.append(request_id)
            if chance.random() < 0.3:
                return  # its cost stays in flight
            report = {"request_id": request_id, "message_id": name, "cost": 100, "kilo_user_id": user}
            if client.post("/api/usage/cost", json=report | {"event_id": name}).json()["do_updated"]:
                self._costs.append(name)
                self.acknowledged.append(("message_id", name))
            return
        if kind == 1:
            body = {"kilo_user_id": user, "event_type": "signin", "email": f"{user}@example.com", "event_id": name}
            body["stytch_hardware_fingerprint"] = f"hw-{chance.randrange(4)}"
            assert client.post("/api/auth-event", json=body).is_success
            self.acknowledged.append(("event_id", name))
            return
        events = [self._event(user, chance, f"{name}-{index}") for index in range(chance.randrange(1, 30))]
        answer = client.post("/api/events", json={"events": events})
        assert answer.json()["accepted"] == len(events), answer.text
        self.acknowledged += [("event_id", event["event_id"]) for event in events]

    def _event(self, user, chance, event_id):
        charge = f"ch_{chance.randrange(6)}"
        made = [
            ("billing.credit_purchased", {"kilo_user_id": user, "microdollars_acquired": 5}),
            ("user.blocked", {"kilo_user_id": user, "reason": event_id}),
            ("user.unblocked", {"kilo_user_id": user}),
            ("stripe.charge.dispute.created", {"charge": charge}),
            ("stripe.charge.failed", {"charge": charge, "customer": f"cus_{user}", "kilo_user_id": user}),
            ("org.member_added", {"kilo_user_id": user, "organization_id": "o1", "role": "member"}),
        ]
        name, data = made[chance.randrange(len(made))]
        return {"type": name, "event_id": event_id, "data": data}


@pytest.mark.slow
def test_power_cuts_lose_nothing(run_service, tmp_path):
    """Twenty SIGKILLs under load: each acknowledged event is there once, each record and what is in flight are
    the fold of the log, and no request id was issued twice."""
    data = tmp_path / "data"
    acknowledged, request_ids = [], []
    chance = random.Random(7)
    for run in range(CRASHES):
        service = run_service(data, snapshot_seconds=0.15, snapshot_events=200)
        load, started = Load(run), threading.Event()
        threads = [
            threading.Thread(target=load.drive, args=(str(service.client.base_url), number, started))
            for number in range(SENDERS)
        ]
        for thread in threads:
            thread.start()
        started.wait(10)
        threading.Event().wait(chance.uniform(0.02, 0.6))
        service.kill()
        for thread in threads:
            thread.join()
        acknowledged += load.acknowledged
        request_ids += load.request_ids
        check_directory(data, acknowledged)
    assert len(acknowledged) > 100 * CRASHES / 4
    assert len(set(request_ids)) == len(request_ids)


def check_directory(data, acknowledged):
    """Open the directory as a restart would, and hold states and log against what was promised."""
    service = Service(Settings(data=data))
    try:
        told_again = States(NoColdStates(service.store), 10**9)
        counts, fresh = {}, Projection(told_again, service.projection.catalog, service.namer.tokens)
        for stored in service.store.read(0):
            retell(fresh, stored.position, stored.event)
            name = _name_in(stored.event.body)
            counts[name] = counts.get(name, 0) + 1
        assert [name for name in acknowledged if counts.get(name) != 1] == []
        states, read = service.projection.states, service.store._reader.execute
        kept = [key for table in TABLES for (key,) in read(f"SELECT key FROM {table}")]
        for key in {*fresh.states._live, *states._live, *states._resting, *kept}:
            assert states.find(key) == fresh.states.find(key)
            everything = Wish(most=10**6)
            pages = read_timeline(states.recent.entries(key), service.store.kept_index, key, everything)
            assert pages == read_page(fresh.states.recent.entries(key), [], everything)
        learned = fresh.states.joins.begin_cut()
        for join in learned.claims.keys() | learned.unnamed.keys():
            assert states.joins.owners([join]) == fresh.states.joins.owners([join])
        assert states.joins.waiting == fresh.states.joins.waiting
        recovered, told = service.projection.reservations.held(), fresh.reservations.held()
        assert (recovered.now_s, sorted(recovered.entries)) == (told.now_s, sorted(told.entries))
        assert told.entries
    finally:
        service.store.close()


def _name_in(body):
    import msgspec

    said = msgspec.json.decode(body)
    if "message_id" in said:
        return "message_id", said["message_id"]
    return "event_id", said.get("event_id")


def test_classify_survives_when_it_waits(run_service):
    """With classify_wait_for_disk a decision that was answered is there after a power cut."""
    service = run_service(classify_wait_for_disk="true")
    ids = [service.post("/api/classify", {"kilo_user_id": "u"}).json()["request_id"] for _ in range(20)]
    service.kill()
    again = run_service(service.data)
    for request_id in ids:
        assert again.client.get(f"/api/console/decisions/{request_id}").status_code == 200
    fresh = again.post("/api/classify", {"kilo_user_id": "u"}).json()["request_id"]
    assert fresh not in ids


def test_records_follow_within_a_moment(run_service):
    """Without it, the record of a decision follows within 50 ms."""
    service = run_service()
    ids = [service.post("/api/classify", {"kilo_user_id": "u"}).json()["request_id"] for _ in range(20)]
    threading.Event().wait(0.25)  # 50 ms on an idle machine
    service.kill()
    again = run_service(service.data)
    for request_id in ids:
        assert again.client.get(f"/api/console/decisions/{request_id}").status_code == 200
