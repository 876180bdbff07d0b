"""The committed descriptions of the contract: JSON Schemas and the OpenAPI document."""

import functools
import json
from pathlib import Path
from typing import Any

SCHEMA_FOLDER = Path(__file__).parent / "schemas"
OPENAPI_FILE = Path(__file__).parent / "openapi.json"


def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document of the service, as committed. A fresh copy: change it as you like."""
    document: dict[str, Any] = json.loads(_read(OPENAPI_FILE))
    return document


def json_schema(name: str) -> dict[str, Any]:
    """The committed JSON Schema of a payload, answer or event by its class name, such as ``UserBlocked``.

    Raises `FileNotFoundError` for a name that is none.
    """
    document: dict[str, Any] = json.loads(_read(SCHEMA_FOLDER / f"{name}.json"))
    return document


@functools.cache
def _read(path: Path) -> str:
    return path.read_text("utf-8")
