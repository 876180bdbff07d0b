"""The clients that are measured, each as its own documentation embeds it, with the fields of one block of an account.

Runs in the environment of the peers, so it imports nothing of the lab.
"""

import atexit
import http.client
import importlib
import json
import queue
import threading
from typing import Any, Protocol
from urllib.parse import urlsplit

REASON = "chargeback after a week"
ACTOR = "admin@example.com"
PROMPT = "Why is the sky blue? " * 20


class Subject(Protocol):
    """A client that reports an event which carries a mark."""

    def report(self, mark: str) -> None: ...

    def flush(self) -> None: ...


class Ours:
    """`abuse_client` as it is."""

    def __init__(self, url: str, **settings: Any) -> None:
        package = importlib.import_module("abuse_client")
        self._events = package.events
        self.client = package.AbuseClient(url, **settings)
        self._guard = importlib.import_module("abuse_client.gateway").Guard(self.client)

    def report(self, mark: str) -> None:
        self.client.report_event(self._events.user_blocked(kilo_user_id=mark, reason=REASON, actor_email=ACTOR))

    def admit(self, mark: str) -> None:
        """Have a request judged that does not wait for it."""
        self._guard.admit(
            {"kilo_user_id": mark, "ip_address": "192.0.2.7", "requested_model": "m", "user_prompt": PROMPT}
        )

    def flush(self) -> None:
        self.client.flush(10)


class Segment:
    """segment-analytics-python."""

    def __init__(self, url: str) -> None:
        self._client = importlib.import_module("segment.analytics.client").Client("write-key", host=url)

    def report(self, mark: str) -> None:
        self._client.track(mark, "user blocked", {"reason": REASON, "actor_email": ACTOR})

    def flush(self) -> None:
        self._client.flush()


class PostHog:
    """posthog."""

    def __init__(self, url: str) -> None:
        self._client = importlib.import_module("posthog").Posthog("project-key", host=url)

    def report(self, mark: str) -> None:
        self._client.capture("user blocked", distinct_id=mark, properties={"reason": REASON, "actor_email": ACTOR})

    def flush(self) -> None:
        self._client.flush()


class Sentry:
    """sentry-sdk, an event each."""

    def __init__(self, url: str) -> None:
        self._sdk = importlib.import_module("sentry_sdk")
        self._sdk.init(dsn=url.replace("://", "://key@") + "/1", default_integrations=True)

    def report(self, mark: str) -> None:
        self._sdk.capture_event(
            {"message": "user blocked", "level": "info", "extra": {"user": mark, "reason": REASON, "actor": ACTOR}}
        )

    def flush(self) -> None:
        self._sdk.flush(10)


class OpenTelemetryLogs:
    """opentelemetry-sdk's logs, batched, over OTLP and HTTP."""

    def __init__(self, url: str) -> None:
        logs = importlib.import_module("opentelemetry.sdk._logs")
        export = importlib.import_module("opentelemetry.sdk._logs.export")
        otlp = importlib.import_module("opentelemetry.exporter.otlp.proto.http._log_exporter")
        self._record = importlib.import_module("opentelemetry._logs").LogRecord
        self._provider = logs.LoggerProvider()
        exporter = otlp.OTLPLogExporter(endpoint=url + "/v1/logs")
        self._provider.add_log_record_processor(export.BatchLogRecordProcessor(exporter))
        self._logger = self._provider.get_logger("bench")

    def report(self, mark: str) -> None:
        self._logger.emit(
            self._record(body="user blocked", attributes={"user": mark, "reason": REASON, "actor_email": ACTOR})
        )

    def flush(self) -> None:
        self._provider.force_flush(10_000)


class Sift:
    """sift, which waits for the answer of each event."""

    def __init__(self, url: str) -> None:
        self._client = importlib.import_module("sift").Client("api-key", account_id="account", api_url=url)

    def report(self, mark: str) -> None:
        self._client.track("user_blocked", {"$user_id": mark, "reason": REASON, "actor_email": ACTOR})

    def flush(self) -> None:
        """Nothing ever waits."""


class BareCall:
    """An httpx call where the event happens."""

    def __init__(self, url: str) -> None:
        self._url = url + "/bare"
        self._client = importlib.import_module("httpx").Client()

    def report(self, mark: str) -> None:
        self._client.post(self._url, json={"user": mark, "reason": REASON, "actor_email": ACTOR}).raise_for_status()

    def flush(self) -> None:
        """Nothing ever waits."""


class BareQueue:
    """A queue and a thread in twenty lines: what one writes by hand. It checks, bounds and repeats nothing."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._queue: queue.Queue[dict[str, str]] = queue.Queue()
        threading.Thread(target=self._send, daemon=True).start()
        atexit.register(self.flush)

    def report(self, mark: str) -> None:
        self._queue.put({"user": mark, "reason": REASON, "actor_email": ACTOR})

    def flush(self) -> None:
        self._queue.join()

    def _send(self) -> None:
        connection = http.client.HTTPConnection(self._address)
        while True:
            event = self._queue.get()
            try:
                connection.request("POST", "/bare", json.dumps(event))
                connection.getresponse().read()
            except (OSError, http.client.HTTPException):
                connection.close()
            self._queue.task_done()


class BareThread:
    """A thread for each question: what it costs to start, whatever it would ask."""

    def __init__(self, url: str) -> None:
        """There is nobody to talk to."""

    def admit(self, mark: str) -> None:
        threading.Thread(target=len, args=(mark,), daemon=True).start()


class Nothing:
    """No client: what the machine itself does to a loop and a clock."""

    def __init__(self, url: str) -> None:
        """There is nobody to talk to."""

    def report(self, mark: str) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Nothing ever waits."""


SUBJECTS: dict[str, Any] = {
    "nothing": Nothing,
    "ours": Ours,
    "segment": Segment,
    "posthog": PostHog,
    "sentry": Sentry,
    "opentelemetry": OpenTelemetryLogs,
    "sift": Sift,
    "bare_call": BareCall,
    "bare_queue": BareQueue,
    "bare_thread": BareThread,
}
NEEDS = {
    "segment": "segment.analytics.client",
    "posthog": "posthog",
    "sentry": "sentry_sdk",
    "opentelemetry": "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "sift": "sift",
}
"""The module that each peer's package brings; the others need what the client needs."""
