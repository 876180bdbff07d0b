"""Requests of today's TypeScript client, byte for byte, are read by this code, each field."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from abuse_client.contract import (
    EVENT_CLASSES,
    AuthEventPayload,
    ClassifyPayload,
    CostPayload,
    EventsBatch,
    Reader,
    decode,
    encode,
    json_schema,
    repair,
)

FOLDER = Path(__file__).parent / "golden"
FILES = sorted(FOLDER.glob("*.json"))
KINDS = {
    "classify": ClassifyPayload,
    "usage-cost": CostPayload,
    "auth-event": AuthEventPayload,
    "events": EventsBatch,
}
MALFORMED = {"04-empty-ids": ("id",), "08-odd-numbers": ("cost", "input_tokens", "max_tokens")}
HALF = re.compile("[\ud800-\udfff]")


def kind_of(path):
    return KINDS[path.suffixes[0].removeprefix(".")]


def said(node):
    """What a request says: ``null`` says nothing, half a surrogate pair is mended."""
    if isinstance(node, dict):
        return {name: said(item) for name, item in node.items() if item is not None}
    if isinstance(node, list):
        return [said(item) for item in node]
    return HALF.sub("\ufffd", node) if isinstance(node, str) else node


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_field_is_read(path):
    """Nothing of a request of today is lost or changed, and its known fields are read into their types."""
    body = path.read_bytes()
    value = decode(kind_of(path), body)
    assert said(json.loads(encode(value))) == said(json.loads(body))
    if path.name.split(".")[0] not in MALFORMED:
        assert not set(value.extra) & set(kind_of(path).__struct_fields__)


@pytest.mark.parametrize(
    "path", [path for path in FILES if kind_of(path) is not EventsBatch], ids=lambda path: path.name
)
def test_only_known_oddities_are_malformed(path):
    """A receiver reads the same requests and reports exactly the oddities that the files are there to show."""
    reading = Reader(kind_of(path)).read(repair(path.read_bytes()))
    assert reading.malformed == MALFORMED.get(path.name.split(".")[0], ())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_well_formed_ones_keep_schema(path):
    """What today's client sends keeps the published schema, but for the oddities."""
    fields = json.loads(repair(path.read_bytes()))
    for name in MALFORMED.get(path.name.split(".")[0], ()):
        del fields[name]
    jsonschema.validate(fields, json_schema(kind_of(path).__name__))


def test_one_of_each_type_covers_all():
    """The batch of all types holds the 17, each read as its class."""
    batch = decode(EventsBatch, (FOLDER / "60-one-of-each-type.events.json").read_bytes())
    assert [type(event) for event in batch.events] == list(EVENT_CLASSES.values())


def test_readme_names_every_file():
    """Each file's habit is told, and no other's."""
    told = re.findall(r"^\| (\d\d-[a-z0-9-]+) \|", (FOLDER / "README.md").read_text("utf-8"), re.MULTILINE)
    assert told == [path.name.split(".")[0] for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_bytes_are_as_javascript_writes_them(path):
    """No editor touched the files: no spaces between tokens, no newline at the end, escapes in lower case."""
    body = path.read_bytes()
    assert body == body.strip()
    assert not re.search(rb"[:,\[{] |\\u[0-9a-f]*[A-F]", re.sub(rb'"(?:[^"\\]|\\.)*"', b'""', body))
