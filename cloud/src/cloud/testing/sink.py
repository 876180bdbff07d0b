"""A recording abuse service on loopback, for tests of whoever embeds this cloud: real HTTP, no judgement."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import Response

from cloud.running import run_server

Json = dict[str, Any]


def classification_of(
    *, verdict: str = "ALLOW", action: str | None = None, request_id: int = 7, **metadata: Any
) -> Json:
    """Build a whole answer of `/api/classify`."""
    engine = {"matches": [], "sus_score": 0.0, "resolved_action": action, "matched_abuse_rule_ids": []}
    context = {"identity_key": "user:u", "current_spend_1h": 0.0, "is_new_user": True, "requests_per_second": 0.1}
    answer = {
        "verdict": verdict,
        "risk_score": 0.0,
        "signals": [],
        "action_metadata": metadata,
        "context": context,
        "request_id": request_id,
    }
    return answer | ({"rules_engine": engine} if request_id else {})


@dataclass(kw_only=True)
class Received:
    """One request that arrived."""

    path: str
    headers: dict[str, str]
    body: Json


@dataclass(kw_only=True)
class Sink:
    """Takes every report and remembers it; answers classifications as it is told to."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    classification: Json = field(default_factory=classification_of)
    delay_seconds: float = 0.0
    status: int = 200

    def bodies(self, path: str) -> list[Json]:
        """Return what arrived at the path, in order."""
        return [received.body for received in self.received if received.path == path]

    def events(self, kind: str | None = None) -> list[Json]:
        """Return the events that arrived, all or of one type, in order."""
        every = [event for body in self.bodies("/api/events") for event in body["events"]]
        return [event for event in every if kind is None or event["type"] == kind]

    async def take(self, request: Request) -> Response:
        body = json.loads(await request.body())
        self.received.append(Received(path=request.url.path, headers=dict(request.headers), body=body))
        await asyncio.sleep(self.delay_seconds)
        answer = self.classification if request.url.path == "/api/classify" else answer_of(request.url.path, body)
        return Response(json.dumps(answer), self.status, media_type="application/json")


@contextmanager
def run_sink() -> Iterator[Sink]:
    """Run a sink on a free loopback port until the context ends."""
    sink = Sink()
    app = FastAPI(title="sink")
    app.add_api_route("/{path:path}", sink.take, methods=["POST"], response_model=None)
    with run_server(app) as url:
        sink.url = url
        yield sink


def answer_of(path: str, body: Json) -> Json:
    """Answer as the contract says, always content."""
    if path == "/api/events":
        return {"accepted": len(body["events"]), "duplicates": 0, "unknown_types": [], "rejected": []}
    key = f"user:{body.get('kilo_user_id')}"
    if path == "/api/usage/cost":
        message_id = body.get("message_id")
        return {"success": True, "identity_key": key, "message_id": message_id, "do_updated": True, "error": None}
    return {"success": True, "identity_key": key, "verdict": "ALLOW", "signals": [], "risk_score": 0.0}
