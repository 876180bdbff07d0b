"""A plain life of twenty events, as a cloud sends it: a sign-up, sign-ins, requests and their costs, two purchases."""

import json
import time

from abuse_lab.bench.classify import request_ids
from abuse_lab.bench.ingest import acknowledged
from abuse_lab.bench.load import load
from abuse_lab.bench.loader import Loaded
from abuse_lab.bench.runs import NotAsSent
from abuse_lab.lane import request_bytes
from abuse_lab.people import People

SIGN_INS, REQUESTS, COSTS, PURCHASES = 2, 7, 6, 2
EVENTS_A_LIFE = 1 + SIGN_INS + REQUESTS + COSTS + PURCHASES + 2
"""The last two: a payment method attached, and a pass."""
CONNECTIONS = 8
_EVENTS_A_BATCH = 200
_HOUR_MS = 3_600_000


class Lives:
    """People who live over the last day but one hour, so that no window moves while pages are compared."""

    def __init__(self, seed: int, number: int) -> None:
        self.people = People(seed, number)
        self._now_ms = time.time_ns() // 1_000_000

    def live(self, url: str, everybody: range) -> None:
        """Let them live: `EVENTS_A_LIFE` events each. Raises `NotAsSent`."""
        self._post(url, "/api/auth-event", [self.people.sign_up(i, occurred_at=self._at(20)) for i in everybody])
        self._report(url, everybody)
        for number in range(SIGN_INS):
            at = self._at(18 - number)
            signed_in = [self.people.sign_up(i, occurred_at=at, event_type="signin") for i in everybody]
            self._post(url, "/api/auth-event", signed_in)
        for number in range(REQUESTS):
            at = self._at(12 - number)
            asked = self._post(url, "/api/classify", [self.people.question(i, occurred_at=at) for i in everybody])
            if number < COSTS:
                ids = request_ids(asked)
                costs = [self._cost(i, request, number, at) for i, request in zip(everybody, ids, strict=True)]
                self._post(url, "/api/usage/cost", costs)

    def _report(self, url: str, everybody: range) -> None:
        events = [event for index in everybody for event in self._events(index)]
        starts = range(0, len(events), _EVENTS_A_BATCH)
        bodies = [_json({"events": events[start : start + _EVENTS_A_BATCH]}) for start in starts]
        count = acknowledged(load(url, [request_bytes("/api/events", body) for body in bodies], CONNECTIONS))
        if count != len(events):
            raise NotAsSent(f"{count} events acknowledged of {len(events)} new ones")

    def _events(self, index: int) -> list[dict[str, object]]:
        user = self.people.user_id(index)
        mark = f"{user.split('-')[1]}{index:08x}"
        bought = {"kilo_user_id": user, "microdollars_acquired": 10_000_000}
        card = {"id": f"evt_{mark}", "type": "payment_method.attached", "customer": f"cus_{mark}", "kilo_user_id": user}
        passed = {"kilo_user_id": user, "tier": "tier_19", "status": "active", "streak_months": 1}
        return [
            *(
                {"type": "billing.credit_purchased", "occurred_at": self._at(16 - n), "data": bought}
                for n in range(PURCHASES)
            ),
            {"type": "stripe.payment_method.attached", "occurred_at": self._at(16), "data": card},
            {"type": "billing.kilo_pass_changed", "occurred_at": self._at(15), "data": passed},
        ]

    def _cost(self, index: int, request_id: int, number: int, at_ms: int) -> bytes:
        return _json(
            {
                "request_id": request_id,
                "message_id": f"gen-{request_id}-{number}",
                "cost": 1000 + index % 977,
                "kilo_user_id": self.people.user_id(index),
                "requested_model": "anthropic/claude-sonnet-4.5",
                "input_tokens": 1200,
                "output_tokens": 300,
                "occurred_at": at_ms,
            }
        )

    def _post(self, url: str, path: str, bodies: list[bytes]) -> Loaded:
        loaded = load(url, [request_bytes(path, body) for body in bodies], CONNECTIONS)
        if set(loaded.statuses) != {200}:
            raise NotAsSent(f"{path} answered with {sorted(set(loaded.statuses))}, expected 200")
        return loaded

    def _at(self, hours_ago: int) -> int:
        return self._now_ms - hours_ago * _HOUR_MS


def _json(content: object) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode()
