"""JSON Schemas (2020-12) of every payload, answer and event, made from the classes.

``python -m abuse_client.contract.schema`` writes the committed files; ``--check`` says whether they are up to date.
"""

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from abuse_client.contract.auth import AuthEventAnswer, AuthEventPayload
from abuse_client.contract.classify import Classification, ClassifyPayload
from abuse_client.contract.cost import CostPayload, CostUpdate
from abuse_client.contract.documents import OPENAPI_FILE, SCHEMA_FOLDER
from abuse_client.contract.endpoints import describe_endpoints
from abuse_client.contract.events import EVENT_CLASSES, MAX_BATCH_EVENTS, EventsAnswer, EventsBatch, UnknownEvent
from abuse_client.contract.wire import Wire

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_BODIES: tuple[type[Wire], ...] = (
    ClassifyPayload,
    Classification,
    CostPayload,
    CostUpdate,
    AuthEventPayload,
    AuthEventAnswer,
    EventsAnswer,
    *EVENT_CLASSES.values(),
    UnknownEvent,
)


def components() -> dict[str, Any]:
    """The schema of every class of the contract by its name, referring to each other as OpenAPI's components do."""
    _, schemas = msgspec.json.schema_components(_BODIES, ref_template="#/components/schemas/{name}")
    for schema in schemas.values():
        schema.get("properties", {}).pop("$extra", None)
    schemas["UnknownEvent"]["properties"]["type"]["not"] = {"enum": list(EVENT_CLASSES)}
    schemas["EventsBatch"] = _batch()
    return dict(sorted(schemas.items()))


def standalone(name: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """One schema that needs no other file: what it refers to stands under ``$defs``."""
    needed = _reachable(name, schemas)
    definitions = {other: _local(schemas[other]) for other in sorted(needed - {name})}
    whole = {"$schema": DIALECT, **_local(schemas[name])}
    return whole | ({"$defs": definitions} if definitions else {})


def files() -> dict[Path, str]:
    """Every committed file with the text that it should have."""
    schemas = components()
    kinds: list[type[Wire]] = [*_BODIES, EventsBatch]
    names = [kind.__name__ for kind in kinds]
    texts = {SCHEMA_FOLDER / f"{name}.json": _text(standalone(name, schemas)) for name in names}
    return texts | {OPENAPI_FILE: _text(describe_endpoints(schemas))}


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with ``--check`` name those that are out of date and return 1."""
    parser = argparse.ArgumentParser(prog="python -m abuse_client.contract.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args(arguments).check
    wanted = files()
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    strays = [path for path in SCHEMA_FOLDER.glob("*.json") if path not in wanted]
    if check:
        for path in stale + strays:
            print(f"out of date: {path.name}; run `make generate`", file=sys.stderr)
        return 1 if stale or strays else 0
    SCHEMA_FOLDER.mkdir(exist_ok=True)
    for path in stale:
        path.write_text(wanted[path], "utf-8")
    for path in strays:
        path.unlink()
    return 0


def _batch() -> dict[str, Any]:
    kinds: list[type[Wire]] = [*EVENT_CLASSES.values(), UnknownEvent]
    return {
        "title": "EventsBatch",
        "description": inspect.getdoc(EventsBatch),
        "type": "object",
        "properties": {
            "events": {
                "type": "array",
                "description": "The events, in any order; a type that is not listed is taken too.",
                "maxItems": MAX_BATCH_EVENTS,
                "items": {"anyOf": [{"$ref": f"#/components/schemas/{kind.__name__}"} for kind in kinds]},
            }
        },
        "required": ["events"],
    }


def _reachable(name: str, schemas: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting.extend(ref.rsplit("/", 1)[1] for ref in _references(schemas[current]))
    return found


def _references(node: Any) -> list[str]:
    if isinstance(node, list):
        return [ref for item in node for ref in _references(item)]
    if not isinstance(node, dict):
        return []
    own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
    return own + [ref for item in node.values() for ref in _references(item)]


def _local(schema: dict[str, Any]) -> dict[str, Any]:
    text = json.dumps(schema, ensure_ascii=False)
    local: dict[str, Any] = json.loads(text.replace("#/components/schemas/", "#/$defs/"))
    return local


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


if __name__ == "__main__":
    sys.exit(main())
