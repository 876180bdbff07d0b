"""Sending events to the webhook: signed, again after a failure, and on request twice or in another order."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from threading import Condition, Timer
from typing import Any

import httpx
import stripe

Json = dict[str, Any]

logger = logging.getLogger(__name__)

RETRY_SECONDS = (0.1, 0.3, 1.0, 3.0, 10.0)
"""Stripe tries for three days; whoever runs this wants to see the end of it."""
AT_ONCE = 8


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One attempt to deliver, and what came of it; no status where nobody answered."""

    event_id: str
    type: str
    status: int | None


@dataclass
class Webhooks:
    """The way to one endpoint; events leave one after the other, in the order in which they happened."""

    url: str | None
    secret: str
    deliveries: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._changed = Condition()
        self._held: list[Json] | None = None
        self._open = 0
        self._closed = False
        self._timers: set[Timer] = set()
        self._one = ThreadPoolExecutor(1, "webhooks")
        self._many = ThreadPoolExecutor(AT_ONCE, "webhooks-at-once")
        self._http = httpx.Client(timeout=30, trust_env=False)

    def send(self, event: Json) -> None:
        """Let the event leave, or wait with the others while they are held."""
        if self.url is None:
            return
        with self._changed:
            if self._held is not None:
                self._held.append(event)
                return
        self._start(self._one, event, 0)

    def hold(self) -> None:
        """Keep events until they are released."""
        with self._changed:
            self._held = self._held or []

    def release(self, *, copies: int = 1, seed: int | None = None) -> None:
        """Let held events leave at once from many sides, each so many times, shuffled by the seed if there is one."""
        with self._changed:
            events, self._held = (self._held or []) * copies, None
        if seed is not None:
            Random(seed).shuffle(events)
        for event in events:
            self._start(self._many if copies > 1 or seed is not None else self._one, event, 0)

    def settle(self, seconds: float) -> bool:
        """Wait until every event that left has been taken or given up, and say whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: self._open == 0, seconds)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            for timer in self._timers:
                timer.cancel()
        for pool in (self._one, self._many):
            pool.shutdown(cancel_futures=True)
        self._http.close()

    def _start(self, pool: ThreadPoolExecutor, event: Json, attempt: int) -> None:
        with self._changed:
            if self._closed:
                return
            self._open += 1
        pool.submit(self._deliver, pool, event, attempt)

    def _deliver(self, pool: ThreadPoolExecutor, event: Json, attempt: int) -> None:
        status = self._post(event)
        with self._changed:
            self.deliveries.append(Delivery(event_id=event["id"], type=event["type"], status=status))
            is_taken = status is not None and 200 <= status < 300
            if is_taken or attempt >= len(RETRY_SECONDS) or self._closed:
                self._open -= 1
                self._changed.notify_all()
                return
            timer = Timer(RETRY_SECONDS[attempt], self._again, (pool, event, attempt + 1))
            timer.daemon = True
            self._timers.add(timer)
            timer.start()

    def _again(self, pool: ThreadPoolExecutor, event: Json, attempt: int) -> None:
        with self._changed:
            self._timers = {timer for timer in self._timers if timer.is_alive()}
            if self._closed:
                return
        pool.submit(self._deliver, pool, event, attempt)

    def _post(self, event: Json) -> int | None:
        body = json.dumps(event)
        signature = stripe.WebhookSignature.generate_signature_header(body, self.secret)
        headers = {"stripe-signature": signature, "content-type": "application/json; charset=utf-8"}
        try:
            return self._http.post(str(self.url), content=body, headers=headers).status_code
        except httpx.HTTPError as error:
            logger.warning("event %s of type %s: %s", event["id"], event["type"], type(error).__name__)
            return None
