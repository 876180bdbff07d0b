"""The published schemas and this code say the same: what the code writes is valid, what is valid is read."""

import json
import subprocess
import sys
from typing import get_args

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from abuse_client.contract import (
    EVENT_CLASSES,
    AuthEventAnswer,
    AuthEventPayload,
    Classification,
    ClassifyPayload,
    CostPayload,
    CostUpdate,
    EventsAnswer,
    EventsBatch,
    InvalidField,
    UnknownEvent,
    Wire,
    decode,
    encode,
    json_schema,
    openapi,
)
from abuse_client.contract.documents import SCHEMA_FOLDER
from abuse_client.contract.fields import MAX_SAFE_INTEGER

KINDS = [
    ClassifyPayload,
    Classification,
    CostPayload,
    CostUpdate,
    AuthEventPayload,
    AuthEventAnswer,
    EventsAnswer,
    UnknownEvent,
    *EVENT_CLASSES.values(),
]

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
numbers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
anything = st.recursive(
    st.none() | st.booleans() | numbers | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


def values(kind):
    """A strategy for every value that a field of type ``kind`` may hold."""
    info = msgspec.inspect.type_info(kind)
    return of_type(info)


def of_type(info):
    match info:
        case msgspec.inspect.Metadata():
            return of_type(info.type)
        case msgspec.inspect.NoneType():
            return st.none()
        case msgspec.inspect.BoolType():
            return st.booleans()
        case msgspec.inspect.IntType(ge=ge, le=le):
            low, high = -MAX_SAFE_INTEGER if ge is None else ge, MAX_SAFE_INTEGER if le is None else le
            return st.integers(low, high)
        case msgspec.inspect.FloatType(ge=ge, le=le):
            return st.floats(ge, le, allow_nan=False, allow_infinity=False)
        case msgspec.inspect.StrType(min_length=low):
            return st.text(st.characters(exclude_categories=["Cs"]), min_size=low or 0, max_size=20)
        case msgspec.inspect.EnumType(cls=cls):
            return st.sampled_from(cls)
        case msgspec.inspect.ListType(item_type=item):
            return st.lists(of_type(item), max_size=3)
        case msgspec.inspect.DictType(value_type=item):
            return st.dictionaries(text, of_type(item), max_size=3)
        case msgspec.inspect.UnionType(types=types):
            return st.one_of([of_type(one) for one in types])
        case msgspec.inspect.StructType(cls=cls):
            return structs(cls)
        case msgspec.inspect.AnyType():
            return anything
    raise AssertionError(f"no strategy for {info}")


def structs(kind):
    fields = {field.name: values(field.type) for field in msgspec.structs.fields(kind) if field.name != "extra"}
    known = {field.encode_name for field in msgspec.structs.fields(kind)} | {"type"}
    extra = st.dictionaries(text.filter(lambda name: name not in known), anything, max_size=2)
    if kind is UnknownEvent:
        fields["type"] = text.filter(lambda name: name and name not in EVENT_CLASSES)
    return st.builds(kind, **fields, extra=extra)


def any_event():
    return st.one_of([structs(kind) for kind in (*EVENT_CLASSES.values(), UnknownEvent)])


def without_nulls(node):
    """The wire meaning of a tree: a ``null`` inside of unknown data stays, one of a known field says nothing."""
    return {name: item for name, item in node.items() if item is not None}


def schema_of(kind):
    return jsonschema.Draft202012Validator(json_schema(kind.__name__))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_written_bytes_keep_schema(kind):
    """Whatever value the code can hold, the bytes it writes are valid by the committed schema, and come back equal."""
    validator = schema_of(kind)

    @settings(max_examples=40, deadline=None)
    @given(structs(kind))
    def check(value):
        body = encode(value)
        validator.validate(json.loads(body))
        assert encode(decode(kind, body)) == body

    check()


@settings(max_examples=40, deadline=None)
@given(st.lists(any_event(), max_size=5))
def test_written_batches_keep_schema(events):
    """A batch of known and unknown events is valid by the committed schema and survives decoding, each field."""
    body = encode(EventsBatch(events=events))
    schema_of(EventsBatch).validate(json.loads(body))
    assert encode(decode(EventsBatch, body)) == body


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(list(EVENT_CLASSES)) | text.filter(bool),
    st.dictionaries(text, anything, max_size=4),
    st.dictionaries(text, anything, max_size=3),
)
def test_nothing_unknown_is_lost(name, inner, beside):
    """An event of any type, with any unknown field at any depth, is after a round trip what it was before."""
    required = {"kilo_user_id": "user-1", "organization_id": "org-1", "email": "e", "microdollars_acquired": 1}
    event = {**beside, "type": name, "data": {**inner, **required}}
    after = json.loads(encode(decode(EventsBatch, json.dumps({"events": [event]}).encode())))["events"][0]
    assert without_nulls(after) == without_nulls(event | {"data": after["data"]})
    assert without_nulls(after["data"]) == without_nulls(event["data"])


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"events": {}},
        {"events": [{"data": {}}]},
        {"events": [{"type": ""}]},
        {"events": [{"type": "user.blocked", "data": {}}]},
        {"events": [{"type": "user.blocked"}]},
        {"events": [{"type": "user.email_changed", "data": {"kilo_user_id": "user-1"}}]},
        {"events": [{"type": "billing.credit_purchased", "data": {"kilo_user_id": "u", "microdollars_acquired": "1"}}]},
    ],
)
def test_code_and_schema_refuse_alike(wrong):
    """A required field that is missing or wrong is refused by the schema and by the code."""
    assert not schema_of(EventsBatch).is_valid(wrong)
    with pytest.raises(InvalidField):
        decode(EventsBatch, json.dumps(wrong).encode())


def test_openapi_is_valid():
    """The OpenAPI document is valid, and holds the four endpoints and what operators read."""
    document = openapi()
    validate(document)
    assert set(document["paths"]) == {
        "/api/classify",
        "/api/usage/cost",
        "/api/auth-event",
        "/api/events",
        "/healthz",
        "/readyz",
        "/openapi.json",
        "/metrics",
    }
    for path in ("/api/classify", "/api/usage/cost", "/api/auth-event", "/api/events"):
        assert set(document["paths"][path]["post"]["responses"]) >= {"400", "401", "403", "413", "415", "422", "503"}


def test_examples_keep_their_schemas():
    """Each example of a request in the document is one that the service takes."""
    document = openapi()
    for path in ("/api/classify", "/api/usage/cost", "/api/auth-event", "/api/events"):
        media = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]
        jsonschema.validate(media["example"], json_schema(media["schema"]["$ref"].rsplit("/", 1)[1]))


def test_every_schema_is_a_schema():
    """Each committed file is a valid JSON Schema, knows nothing of our bookkeeping, and allows unknown fields."""
    for path in SCHEMA_FOLDER.glob("*.json"):
        schema = json_schema(path.stem)
        jsonschema.Draft202012Validator.check_schema(schema)
        assert "$extra" not in path.read_text("utf-8")
        assert "additionalProperties" not in schema


def test_optional_fields_take_null():
    """Every field that is not required may be ``null``, in every payload and event."""
    for kind in (ClassifyPayload, CostPayload, AuthEventPayload, *EVENT_CLASSES.values()):
        schema = json_schema(kind.__name__)
        for part in (schema, *schema.get("$defs", {}).values()):
            for name in set(part.get("properties", {})) - set(part.get("required", [])):
                field = part["properties"][name]
                assert not {"type", "enum"} & set(field), f"{kind.__name__}.{name}"


def test_every_field_is_described():
    """Each field of the contract has words for its meaning."""

    def structs_of(kind):
        yield kind
        for field in msgspec.structs.fields(kind):
            for inner in [field.type, *get_args(field.type)]:
                if isinstance(inner, type) and issubclass(inner, Wire):
                    yield from structs_of(inner)

    for kind in KINDS:
        for one in structs_of(kind):
            for field in msgspec.structs.fields(one):
                if field.name not in ("extra", "data"):
                    assert "description=" in repr(field.type), f"{one.__name__}.{field.name}"


def test_committed_files_are_current():
    """The committed files are what the classes say, and the command says so."""
    done = subprocess.run([sys.executable, "-m", "abuse_client.contract.schema", "--check"], check=False)
    assert done.returncode == 0
