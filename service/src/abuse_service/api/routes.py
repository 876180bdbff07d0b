"""The routes that clouds call, and the four that machines look at."""

import functools
import json

import msgspec

from abuse_client.contract import openapi
from abuse_service.api.doors import Sender
from abuse_service.api.http import Answer
from abuse_service.console_api.v1 import describe_v1
from abuse_service.errors import StorageUnavailable
from abuse_service.flow import Flow

CLASSIFY_BYTES = 32 * 2**20
OTHER_BYTES = 16 * 2**20

_encode = msgspec.json.Encoder().encode


async def post_classify(flow: Flow, sender: Sender, body: bytes) -> Answer:
    """``POST /api/classify``."""
    sender.require("write")
    return Answer(await flow.classify(body, sender.source, may_import="import" in sender.scopes))


async def post_cost(flow: Flow, sender: Sender, body: bytes) -> Answer:
    """``POST /api/usage/cost``."""
    sender.require("write")
    return Answer(_encode(await flow.take_cost(body, sender.source)))


async def post_auth(flow: Flow, sender: Sender, body: bytes) -> Answer:
    """``POST /api/auth-event``."""
    sender.require("write")
    return Answer(await flow.take_auth(body, sender.source))


async def post_events(flow: Flow, sender: Sender, body: bytes) -> Answer:
    """``POST /api/events``."""
    sender.require("write")
    return Answer(_encode(await flow.take_events(body, sender.source)), status=202)


async def post_noop(flow: Flow, sender: Sender, body: bytes) -> Answer:
    """``POST /api/noop``: answers and does nothing, so that benchmarks can tell the service's work from HTTP's."""
    return Answer(b"{}")


def get_health(flow: Flow) -> Answer:
    """``GET /healthz``: the process lives."""
    return Answer(b'{"status":"ok"}')


def get_ready(flow: Flow) -> Answer:
    """``GET /readyz``: recovered, and the disk takes writes. Raises `StorageUnavailable`."""
    if flow.event_log.is_failing:
        raise StorageUnavailable
    said = {"status": "ready", "position": flow.event_log.last_position, "enforcing": flow.is_enforced}
    return Answer(_encode(said | {"networks": flow.networks_version}))


def get_openapi(flow: Flow) -> Answer:
    """``GET /openapi.json``."""
    return Answer(_openapi_bytes())


def get_metrics(flow: Flow) -> Answer:
    """``GET /metrics``, Prometheus' text format."""
    return Answer(flow.metrics.text(), content_type=b"text/plain; version=0.0.4; charset=utf-8")


@functools.cache
def _openapi_bytes() -> bytes:
    document = openapi()
    paths, schemas = describe_v1()
    document["paths"] |= paths
    document["components"]["schemas"] |= schemas
    return json.dumps(document).encode()
