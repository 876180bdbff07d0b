"""The OpenAPI 3.1 document: what is asked and answered at each path, around the schemas of the classes."""

from typing import Any

Json = dict[str, Any]

_ERRORS: dict[int, tuple[str, str]] = {
    400: ("The body is no JSON object, or nests too deep.", "bad_request"),
    401: ("The service token is missing or wrong.", "unauthorized"),
    403: ("The token lacks the scope that this request needs.", "forbidden"),
    413: ("The body is too long, or the batch holds too many events; the message names the limit.", "too_large"),
    415: ("The body is compressed by something else than gzip.", "unsupported_coding"),
    422: ("A required field is missing or wrong; the path names it.", "invalid_field"),
    503: ("The service takes no writes now; nothing was acknowledged, send it again.", "storage_unavailable"),
}

_CLASSIFY = {"kilo_user_id": "user-1", "ip_address": "192.0.2.7", "requested_model": "model-a", "user_prompt": "Hi"}
_COST = {"request_id": 17, "message_id": "msg-1", "cost": 4200, "kilo_user_id": "user-1"}
_AUTH = {"kilo_user_id": "user-1", "event_type": "signup", "email": "someone@example.com"}
_EVENTS = {"events": [{"type": "user.blocked", "data": {"kilo_user_id": "user-1", "reason": "chargeback"}}]}


def describe_endpoints(schemas: Json) -> Json:
    """The whole document over the given component schemas."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Abuse service",
            "version": "1.0.0",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": "Takes business events, sign-ins, LLM requests and their costs; answers with verdicts. "
            "Unknown fields and unknown event types are accepted everywhere and kept.",
        },
        "servers": [{"url": "/"}],
        "security": [{"clientId": [], "clientSecret": []}],
        "paths": {
            "/api/classify": _post("classify", "Judge an LLM request", "ClassifyPayload", "Classification", _CLASSIFY),
            "/api/usage/cost": _post("reportCost", "Report what a request cost", "CostPayload", "CostUpdate", _COST),
            "/api/auth-event": _post(
                "reportAuthEvent", "Report a sign-up or sign-in", "AuthEventPayload", "AuthEventAnswer", _AUTH
            ),
            "/api/events": _post(
                "reportEvents", "Report a batch of events", "EventsBatch", "EventsAnswer", _EVENTS, status=202
            ),
            "/healthz": _get("health", "Whether the process lives", "Alive.", _json({"type": "object"})),
            "/readyz": _get(
                "readiness", "Whether the service takes requests", "Ready.", _json({"type": "object"}), 503
            ),
            "/openapi.json": _get("openapi", "This document", "An OpenAPI 3.1 document.", _json({"type": "object"})),
            "/metrics": _get(
                "metrics",
                "Metrics for Prometheus",
                "Metrics in the text format.",
                {"text/plain": {"schema": {"type": "string"}}},
            ),
        },
        "components": {
            "schemas": schemas | {"Error": _error_schema()},
            "responses": {f"Error{status}": _error_response(status) for status in _ERRORS},
            "securitySchemes": {
                "clientId": _header("CF-Access-Client-Id", "Id of the service token."),
                "clientSecret": _header("CF-Access-Client-Secret", "Secret of the service token."),
            },
        },
    }


def _post(operation: str, summary: str, asks: str, answers: str, example: Json, *, status: int = 200) -> Json:
    return {
        "post": {
            "operationId": operation,
            "summary": summary,
            "requestBody": {"required": True, "content": _json(_ref(asks), example)},
            "responses": {
                str(status): {"description": "Taken.", "content": _json(_ref(answers))},
                **{str(code): {"$ref": f"#/components/responses/Error{code}"} for code in _ERRORS},
            },
        }
    }


def _get(operation: str, summary: str, answer: str, content: Json, *errors: int) -> Json:
    refusals = {str(code): {"$ref": f"#/components/responses/Error{code}"} for code in errors}
    return {
        "get": {
            "operationId": operation,
            "summary": summary,
            "security": [],
            "responses": {"200": {"description": answer, "content": content}, **refusals},
        }
    }


def _error_response(status: int) -> Json:
    description, code = _ERRORS[status]
    example = {"error": {"code": code, "message": "what was found and expected", "path": None}}
    headers = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    answer = {"description": description, "content": _json(_ref("Error"), example)}
    return answer | ({"headers": headers} if status == 503 else {})


def _error_schema() -> Json:
    return {
        "title": "Error",
        "description": "The one shape of every refusal. It never repeats a value that was sent.",
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"type": "string", "description": "A word for programs, an open set."},
                    "message": {"type": "string", "description": "What was found and what was expected."},
                    "path": {
                        "anyOf": [{"type": "string"}, {"type": "null"}],
                        "description": "The place in the body, such as `events[3].data.email`.",
                    },
                },
                "required": ["code", "message", "path"],
            }
        },
        "required": ["error"],
    }


def _json(schema: Json, example: Json | None = None) -> Json:
    return {"application/json": {"schema": schema} | ({"example": example} if example else {})}


def _ref(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _header(name: str, description: str) -> Json:
    return {"type": "apiKey", "in": "header", "name": name, "description": description}
