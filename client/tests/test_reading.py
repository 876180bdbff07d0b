"""Reading bodies: liberal in what is optional, exact in what is required, never slow and never a crash."""

import contextlib
import json
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from abuse_client.contract import (
    MAX_DEPTH,
    AuthEventPayload,
    ClassifyPayload,
    ContractError,
    CostPayload,
    EventsBatch,
    InvalidField,
    MalformedJson,
    Reader,
    UserBlocked,
    decode,
    encode,
    nests_too_deep,
    repair,
)

MIB = 2**20
classify = Reader(ClassifyPayload)


@pytest.mark.parametrize(
    ("body", "malformed"),
    [
        (b'{"latency": "long", "user_prompt": "p"}', ("latency",)),
        (b'{"is_byok": "yes", "created_at": 5}', ("is_byok", "created_at")),
        (b'{"geo_latitude": 1e400}', ("geo_latitude",)),
        (b'{"cost": 1e400}', ("cost",)),
        (b'{"cost": 0.5}', ("cost",)),
        (b'{"cost": 9007199254740992}', ("cost",)),
        (b'{"cost": ' + b"9" * 5000 + b"}", ("cost",)),
        (b'{"cost": -' + b"9" * 5000 + b', "x": 1e999}', ("cost",)),
        (b'{"kilo_user_id": ["user-1"]}', ("kilo_user_id",)),
        (b'{"kilo_user_id": "' + b"u" * 2000 + b'"}', ("kilo_user_id",)),
        (b'{"event_id": "' + b"e" * 65 + b'"}', ("event_id",)),
        (b'{"occurred_at": -1}', ("occurred_at",)),
        (b'{"cost": 5.0, "geo_latitude": 5, "max_tokens": null}', ()),
        (b'{"user_prompt": "a\x00b\nc"}', ()),
        (b'\xef\xbb\xbf{"user_prompt": "mark"}', ()),
        (b'{"user_prompt": "\xff\xfe"}', ()),
        (b'{"unknown": {"any": [1, {"thing": null}]}}', ()),
    ],
)
def test_no_oddity_refuses(body, malformed):
    """An optional field of any type or size is read as absent and named; the request is read all the same."""
    assert classify.read(repair(body)).malformed == malformed


def test_malformed_member_is_passed_over():
    """One membership that is wrong is named and left out; the others and the sign-in stay."""
    body = {"kilo_user_id": "user-1", "event_type": "signin", "email": "someone@example.com"}
    body["org_memberships"] = [{"role": "owner"}, {"organization_id": "org-2", "has_sso": "yes"}, 7]
    reading = Reader(AuthEventPayload).read(json.dumps(body).encode())
    assert [one.organization_id for one in reading.value.org_memberships] == ["org-2"]
    assert reading.malformed == (
        "org_memberships[0].organization_id",
        "org_memberships[1].has_sso",
        "org_memberships[2]",
    )


@pytest.mark.parametrize(
    ("body", "error", "path"),
    [
        (b"", MalformedJson, ""),
        (b"null", MalformedJson, ""),
        (b"[]", MalformedJson, ""),
        (b'{"request_id": NaN}', MalformedJson, ""),
        (b'{"request_id": 1, "x": 1e999, "y": NaN}', MalformedJson, ""),
        (b'{"request_id"', MalformedJson, ""),
        (b'{"a":' * 100_000, MalformedJson, ""),
        (b"{}", InvalidField, "request_id"),
        (b'{"request_id": 0, "message_id": "m", "cost": 1}', InvalidField, "request_id"),
        (b'{"request_id": 1, "message_id": "", "cost": 1}', InvalidField, "message_id"),
        (b'{"request_id": 1, "message_id": "m", "cost": 1e400}', InvalidField, "cost"),
    ],
)
def test_required_field_refuses(body, error, path):
    """A required field that is missing or wrong is refused by its place."""
    with pytest.raises(error) as caught:
        Reader(CostPayload).read(repair(body))
    assert caught.value.path == path


def test_refusal_names_place_not_value():
    """A refusal tells where and what was expected, and repeats no value that may be personal."""
    body = (
        b'{"events": [{"type": "user.email_changed", "data": {"kilo_user_id": "user-1", "email": ["a@example.com"]}}]}'
    )
    with pytest.raises(InvalidField) as caught:
        decode(EventsBatch, body)
    assert caught.value.path == "events[0].data.email"
    assert "example.com" not in str(caught.value)


def test_event_of_other_type_is_refused():
    """An event is not read as one of another type."""
    with pytest.raises(InvalidField, match="type"):
        decode(UserBlocked, b'{"type": "user.deleted", "data": {"kilo_user_id": "user-1"}}')


def test_unknown_field_never_overrides():
    """What stands under unknown names cannot replace a known field on the way out."""
    smuggled = ClassifyPayload(kilo_user_id="user-1", extra={"kilo_user_id": "user-2", "shoe_size": 43})
    assert json.loads(encode(smuggled)) == {"kilo_user_id": "user-1", "shoe_size": 43}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\uDE00x"', rb'"\ufffdx"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\ud83d\ud83d\ude00\ude00"', rb'"\ufffd\ud83d\ude00\ufffd"'),
        (rb'"\\ud83d"', rb'"\\ud83d"'),
        (rb'"\\\ud83d"', rb'"\\\ufffd"'),
        (rb'"\\ud83d\ude00"', rb'"\\ud83d\ufffd"'),
        (rb'"\ud8"', rb'"\ud8"'),
        (b'"\xff"', b'"\xef\xbf\xbd"'),
        (b'"\xed\xa0\xbd"', b'"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"'),
        (b'\xef\xbb\xbf"x"', b'"x"'),
    ],
)
def test_halves_become_replacement(before, after):
    """Half a surrogate pair becomes U+FFFD; whole ones and escaped backslashes stay as they are."""
    assert repair(before) == after


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(categories=["Cs", "Ll", "Cc"]) | st.sampled_from('\\"ud83'), max_size=30))
@example("\\\\\ud83d\\")
def test_any_string_is_readable(text):
    """Whatever JavaScript may put into a string, the mended request is read, and what was whole stays."""
    expected = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    body = json.dumps({"user_prompt": text}).encode()
    assert classify.read(repair(body)).value.user_prompt == expected
    assert json.loads(encode(ClassifyPayload(user_prompt=text)))["user_prompt"] == expected


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]"\\:,0e-truedN ', max_size=60).map(str.encode))
def test_any_bytes_end_cleanly(body):
    """Any bytes at all are either read or refused as the contract says, never otherwise."""
    nests_too_deep(body)
    with contextlib.suppress(ContractError):
        classify.read(repair(body))


def nested(depth):
    body = b'"]}\\"[{"'
    for level in range(depth):
        body = b"[" + body + b', "}"]' if level % 2 else b'{"[\\\\": ' + body + b"}"
    return body


@pytest.mark.parametrize("depth", [1, 2, MAX_DEPTH - 1, MAX_DEPTH, MAX_DEPTH + 1, MAX_DEPTH + 2, 10 * MAX_DEPTH])
def test_depth_is_counted_outside_strings(depth):
    """Only arrays and objects count, whatever brackets, quotes and backslashes stand in strings."""
    assert nests_too_deep(nested(depth)) is (depth > MAX_DEPTH)
    assert nests_too_deep(b"[" + b",".join([nested(depth - 1)] * 100) + b"]") is (depth > MAX_DEPTH)


def test_unclosed_brackets_are_deep():
    """A depth bomb need not be closed."""
    assert nests_too_deep(b"[" * 1000)
    assert not nests_too_deep(b"[]" * 1000)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "' + b'\\"' * (4 * MIB) + b'", "b": [',
        b'{"a": "' + b"\\\\" * (4 * MIB) + b'\\ud83d"}',
        b'"' + b"\\" * (8 * MIB + 1) + b"ud8",
        b"[" + b'"[",' * (2 * MIB) + b'""]',
        b"[" + b"[]," * (2 * MIB) + b"[]]",
        b'{"a": "' + b"\\ud83d" * MIB + b'"}',
    ],
    ids=["escaped quotes", "backslashes", "odd run", "brackets in strings", "pairs", "halves"],
)
def test_long_bodies_take_linear_time(body):
    """No body of eight megabytes holds a receiver up: mending it and counting its depth take under two seconds."""
    begun = time.perf_counter()
    repair(body)
    nests_too_deep(body)
    assert time.perf_counter() - begun < 2.0
