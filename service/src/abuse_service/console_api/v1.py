"""Routes below ``/v1/``: one list that answers requests and describes itself in the API's document."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol
from urllib.parse import unquote

import msgspec

from abuse_service.console_api.audit import Reader
from abuse_service.console_api.erasures import ErasurePage, ErasureSaid, ErasureWish, request_erasure, show_erasures
from abuse_service.console_api.export import Desk as ExportingDesk
from abuse_service.console_api.export import ExportPage, export_person
from abuse_service.console_api.pages import AuditPage, SearchPage, TimelinePage
from abuse_service.console_api.query import Parameter, Query
from abuse_service.console_api.reading import (
    AUDIT_PARAMETERS,
    CURSOR,
    LIMIT,
    MOST_ROWS,
    ROWS,
    SEARCH_PARAMETERS,
    TIMELINE_PARAMETERS,
    Persons,
)
from abuse_service.console_api.reading import Desk as ReadingDesk
from abuse_service.errors import BadRequest, MethodNotAllowed, NotFound

V1 = "/v1/"
_ERRORS = ("400", "401", "403", "503")
_encode = msgspec.json.Encoder().encode


class Desk(ReadingDesk, ExportingDesk, Protocol):
    """What these routes need of a service."""


class Visitor(Reader, Protocol):
    """Who asks."""

    def require(self, scope: str) -> None:
        """Raises `Forbidden` unless he has the scope."""
        ...


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """A route: what it takes, which scope it needs, and what answers it. ``{key}`` stands for an identity key.

    One that changes something has ``change`` and takes a body.
    """

    path: str
    operation: str
    scope: str
    summary: str
    respond: Callable[[Persons, str, Query], Any] = lambda persons, key, query: None
    change: Callable[[Desk, Visitor, str, bytes], Awaitable[Any]] | None = None
    look_up: Callable[[Desk, Persons, str, Query], Awaitable[Any]] | None = None
    parameters: Sequence[Parameter] = ()
    answer: type[msgspec.Struct] | None = None
    takes: type[msgspec.Struct] | None = None

    def key_in(self, segments: Sequence[str]) -> str | None:
        """The identity key where the path fits, empty where the route takes none; ``None`` where it does not."""
        own = self.path.removeprefix(V1).split("/")
        if len(own) != len(segments) or any(a not in ("{key}", b) for a, b in zip(own, segments, strict=True)):
            return None
        return next((said for name, said in zip(own, segments, strict=True) if name == "{key}"), "")


async def _show_erasures(desk: Desk, _: Persons, key: str, query: Query) -> ErasurePage:
    return show_erasures(desk, query.size("limit", default=ROWS, most=MOST_ROWS))


ROUTES = (
    Route(
        path="/v1/identities",
        operation="searchIdentities",
        scope="records",
        summary="Search identities; all that is asked for must hold",
        respond=lambda persons, _, query: persons.search(query),
        parameters=SEARCH_PARAMETERS,
        answer=SearchPage,
    ),
    Route(
        path="/v1/identities/{key}",
        operation="getIdentity",
        scope="records",
        summary="The record of an identity, its features, links and newest decisions",
        respond=lambda persons, key, _: persons.record(key),
    ),
    Route(
        path="/v1/identities/{key}/timeline",
        operation="getTimeline",
        scope="records",
        summary="The events of an identity, newest first",
        respond=lambda persons, key, query: persons.timeline(key, query),
        parameters=TIMELINE_PARAMETERS,
        answer=TimelinePage,
    ),
    Route(
        path="/v1/identities/{key}/cluster",
        operation="getCluster",
        scope="records",
        summary="Whom strong links reach from an identity, each with the link that reached it",
        respond=lambda persons, key, _: persons.cluster(key),
    ),
    Route(
        path="/v1/identities/{key}/export",
        operation="exportIdentity",
        scope="records",
        summary="Everything that is held about an identity, a page at a time",
        look_up=export_person,
        parameters=(LIMIT, CURSOR),
        answer=ExportPage,
    ),
    Route(
        path="/v1/audit",
        operation="getAudit",
        scope="admin",
        summary="Who read what of whom, newest first",
        respond=lambda persons, _, query: persons.readings(query),
        parameters=AUDIT_PARAMETERS,
        answer=AuditPage,
    ),
    Route(
        path="/v1/erasures",
        operation="getErasures",
        scope="admin",
        summary="Who is being erased or was, those first that were asked for last",
        look_up=_show_erasures,
        parameters=(LIMIT,),
        answer=ErasurePage,
    ),
    Route(
        path="/v1/identities/{key}/erase",
        operation="eraseIdentity",
        scope="admin",
        summary="Erase an identity; the answer says when it was done, or is in progress",
        change=request_erasure,
        takes=ErasureWish,
        answer=ErasureSaid,
    ),
)


async def answer_v1(desk: Desk, visitor: Visitor, method: str, raw_path: str, query: str, body: bytes = b"") -> bytes:
    """The JSON that answers one request; ``raw_path`` as it came, with its escapes."""
    segments = _segments(raw_path)
    for route in ROUTES:
        key = route.key_in(segments)
        if key is None:
            continue
        visitor.require(route.scope)
        if method != ("GET" if route.change is None else "POST"):
            raise MethodNotAllowed
        if route.change is not None:
            return _encode(await route.change(desk, visitor, key, body))
        if route.look_up is not None:
            persons = Persons(desk, visitor)
            return _encode(await route.look_up(desk, persons, key, Query(query, route.parameters)))
        return _encode(route.respond(Persons(desk, visitor), key, Query(query, route.parameters)))
    raise NotFound("no such route")


def describe_v1() -> tuple[dict[str, Any], dict[str, Any]]:
    """Paths and schemas of these routes, as an OpenAPI document holds them."""
    shown = {kind for route in ROUTES for kind in (route.answer, route.takes) if kind is not None}
    _, schemas = msgspec.json.schema_components(shown, ref_template="#/components/schemas/{name}")
    paths = {route.path: {"post" if route.change else "get": _described(route)} for route in ROUTES}
    return paths, dict(sorted(schemas.items()))


def _described(route: Route) -> dict[str, Any]:
    body = {"requestBody": {"required": True, "content": _json(route.takes.__name__)}} if route.takes else {}
    return body | {
        "operationId": route.operation,
        "summary": route.summary,
        "description": f"Needs a token with the scope `{route.scope}`.",
        "parameters": [*_key_parameters(route), *map(_parameter, route.parameters)],
        "responses": {
            "200": {"description": "The answer.", "content": _json(route.answer.__name__ if route.answer else None)},
            **{status: {"$ref": f"#/components/responses/Error{status}"} for status in _ERRORS},
            "404": {"description": "Nothing is known under that key.", "content": _json("Error")},
        },
    }


def _json(name: str | None) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{name}"} if name else {"type": "object"}
    return {"application/json": {"schema": schema}}


def _key_parameters(route: Route) -> list[dict[str, Any]]:
    if "{key}" not in route.path:
        return []
    said = "An identity key such as `user:42`, or a bare user id."
    return [{"name": "key", "in": "path", "required": True, "description": said, "schema": {"type": "string"}}]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = dict(parameter.schema)
    if parameter.may_repeat:
        schema = {"type": "array", "items": schema}
    return {"name": parameter.name, "in": "query", "description": parameter.description, "schema": schema}


def _segments(raw_path: str) -> list[str]:
    path = re.sub("//+", "/", raw_path).removeprefix(V1).rstrip("/")
    try:
        return [unquote(segment, errors="strict") for segment in path.split("/")]
    except UnicodeDecodeError:
        raise BadRequest("expected UTF-8", path="key") from None
