"""What intake makes of requests, cost reports and sign-ins: liberal in all that is optional."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_client.contract import AuthEventPayload, ClassifyPayload, InvalidField, MalformedJson
from abuse_service.errors import Forbidden
from abuse_service.events.content import content_of
from abuse_service.events.tokens import prompt_bytes
from abuse_service.intake.classify import OLDEST_CLAIM_MS, Question
from abuse_service.intake.prompts import PROMPTS
from abuse_service.intake.receipt import Receipt
from abuse_service.testing import HOSTING_NETWORK, NOW_MS, World

WORLD = World()
RECEIPT = Receipt(NOW_MS, "cloud")
OPTIONAL = sorted(set(ClassifyPayload.__struct_fields__) - {"extra"})


def ask(body: bytes, *, may_import: bool = False) -> Question:
    """A request from its bytes."""
    return WORLD._classifies.read(body, RECEIPT, may_import=may_import)


def fingerprint(*parts: str) -> str:
    """The identity key of somebody who is not signed in."""
    return f"fingerprint:{hashlib.sha256('|'.join(parts).encode()).hexdigest()}"


# classify

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(OPTIONAL) | st.text(max_size=9), json_values, max_size=6))
@settings(max_examples=300, deadline=None)
def test_nothing_optional_refuses_a_request(said: dict[str, Any]) -> None:
    """Whatever stands in the fields of a request, it is read, and what was kept reads the same again."""
    question = ask(json.dumps(said).encode(), may_import=True)
    assert content_of(question.answered(1, None)) == question.payload


@given(st.text(st.characters(codec=None), max_size=40), st.sampled_from(["user_prompt", "user_agent", "model", "id"]))
@settings(max_examples=200, deadline=None)
def test_no_text_refuses_a_request(text: str, field: str) -> None:
    """Half surrogates, NUL and whatever else a text may hold refuse nothing."""
    question = ask(json.dumps({field: text}).encode())
    assert getattr(question.payload, field) is not None or field == "id"


@pytest.mark.parametrize("field", OPTIONAL)
@pytest.mark.parametrize("odd", [{"a": 1}, [[]], float("1e308"), "x", -1, True], ids=repr)
def test_odd_field_is_counted_or_read(field: str, odd: object) -> None:
    """A field of a wrong type is counted by its name and read as absent; the others stay."""
    question = ask(json.dumps({field: odd, "kilo_user_id": "u1", "feature": "chat"} | {field: odd}).encode())
    if question.malformed:
        assert question.malformed == (field,)
        assert getattr(question.payload, field) is None
    else:
        expected = WORLD.namer.tokens.of_prompt(b"x") if field in PROMPTS else odd
        assert getattr(question.payload, field) == expected


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\x00", b'"x"', b"[" * 200_000, b'{"a":' * 200_000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """Only what is no JSON object at all, or nests without end, is refused."""
    with pytest.raises(MalformedJson):
        ask(body)


def test_prompt_is_never_kept() -> None:
    """In a prompt's place stand its keyed hash and its length: equal for equal prompts, long or short."""
    prompt, tokens = "ü" * 10_000, WORLD.namer.tokens
    for said in ({"user_prompt": prompt, "system_prompt": "short"}, {"system_prompt": "short", "user_prompt": prompt}):
        question = ask(json.dumps(said).encode())
        kept = json.loads(question.body)
        assert kept == {
            "user_prompt": tokens.of_prompt(json.dumps(prompt)[1:-1].encode()),
            "system_prompt": tokens.of_prompt(b"short"),
        }
        assert question.prompt_bytes == len(json.dumps(prompt)) - 2 + 5
        assert question.payload.system_prompt == kept["system_prompt"]


@pytest.mark.parametrize(
    "body",
    [
        b'{"user_prompt":"the secret"}',
        b'{"user_prompt":"the secret","user_prompt":"the secret"}',
        b'{"user_prom\\u0070t":"the secret"}',
        b'{"user_prom\\u0070t":"the secret","user_prompt":"x"}',
        b'{"user_prompt":"the secret","user_prompt":null}',
        b'{"a":"\\u0041","user_prompt":"the secret","user_prompt":""}',
        b'{"a":"user_prompt","user_prompt":"the secret"}',
        b'{"a":{"b":1},"user_prompt" :\n"the secret" }',
        b'{"user_prompt":"the secret \\ud83d"}',
        b'{"user_prompt":"the secret \xff"}',
        b'{"user_prompt":"the secret\x01"}',
        b'{"user_prompt":"the secret","cost":1e400}',
        b'{"user_prompt":"the secret\x01","cost":1e400}',
        b'{"user_prompt":["the secret"]}',
        b'{"user_prompt":{"a":"the secret"},"system_prompt":"the secret"}',
        b'{"\\ud83d":1,"user_prompt":"the secret"}',
        b'\xef\xbb\xbf{"user_prompt":"the secret"}',
    ],
)
def test_no_form_of_a_prompt_is_kept(body: bytes) -> None:
    """However a prompt is written, whatever else is wrong with the body: nothing of it stays."""
    question = ask(body)
    assert b"secret" not in question.body
    assert "secret" not in str(question.payload)


def test_cut_prompt_is_told_by_its_whole() -> None:
    """A client that cut a prompt says length and hash of the whole: the token is made of these, and the hash goes."""
    whole, other = hashlib.sha256(b"whole").hexdigest(), hashlib.sha256(b"other").hexdigest()

    def cut(said: str, length: object = 90_000) -> Question:
        return ask(
            json.dumps({"user_prompt": "start", "user_prompt_bytes": length, "user_prompt_sha256": said}).encode()
        )

    token = WORLD.namer.tokens.of_cut_prompt(whole, 90_000)
    assert json.loads(cut(whole).body) == {"user_prompt": token}
    assert cut(whole).prompt_bytes == 90_000
    assert cut(other).payload.user_prompt != token
    for odd in (cut("secret"), cut(whole, -1), cut(whole, "many"), cut(whole, 10**12)):
        assert json.loads(odd.body) == {"user_prompt": WORLD.namer.tokens.of_prompt(b"start")}
    assert ask(b'{"user_prompt_sha256":"%b"}' % whole.encode()).body == b"{}"


@pytest.mark.parametrize("head", [b"a" * 8189, b"a" * 8190, b"a" * 8191, b"a" * 8187])
@pytest.mark.parametrize(
    "unit", [b"\\u00e9", b"\\ud83d\\ude00", b"\\\\", b"\xf0\x9f\x98\x80", b'\\"', b"\xff", b"\x01"]
)
def test_cut_falls_anywhere(head: bytes, unit: bytes) -> None:
    """Wherever the cut of a long field falls, inside an escape, a pair or a character, what is kept is readable."""
    question = ask(b'{"geo_city":"' + head + unit * 200 + b'","kilo_user_id":"u1"}')
    assert question.identity == "user:u1"
    assert str(question.payload.geo_city).startswith("a" * 8187)


def test_long_field_of_another_kind_is_null() -> None:
    """A long value that is no text is kept as null with its token."""
    kept = json.loads(ask(json.dumps({"mystery": list(range(5000))}).encode()).body)
    assert kept["mystery"] is None
    assert prompt_bytes(kept["mystery_token"]) > 5000


@pytest.mark.parametrize(
    ("said", "identity"),
    [
        ({"kilo_user_id": "u1"}, "user:u1"),
        ({"kilo_user_id": " \ufeffu1\u00a0"}, "user:u1"),
        ({"kilo_user_id": "\u001cu1"}, "user:\u001cu1"),
        ({"kilo_user_id": "Anon:1"}, "user:Anon:1"),
        ({"kilo_user_id": "anon:192.0.2.1"}, fingerprint("unknown_ip", "no_ja4", "no_ua")),
        ({}, fingerprint("unknown_ip", "no_ja4", "no_ua")),
        ({"kilo_user_id": "", "ip_address": "", "user_agent": ""}, fingerprint("unknown_ip", "no_ja4", "no_ua")),
        (
            {"ip_address": "192.0.2.1, 192.0.2.2", "ja4_digest": "t13d", "user_agent": " curl "},
            fingerprint("192.0.2.1, 192.0.2.2", "t13d", " curl "),
        ),
        ({"user_agent": "x" * 20_000}, fingerprint("unknown_ip", "no_ja4", "x" * 20_000)),
    ],
)
def test_identity_key_is_the_clients(said: dict[str, str], identity: str) -> None:
    """The identity key equals to the byte what a client computes, also for a header of many kilobytes."""
    assert ask(json.dumps(said).encode()).identity == identity


@pytest.mark.parametrize("age_ms", [0, OLDEST_CLAIM_MS, OLDEST_CLAIM_MS + 1, 10**12])
def test_old_claim_needs_the_scope(age_ms: int) -> None:
    """A request that claims to be older than ten minutes is refused without the scope for imports."""
    body = json.dumps({"occurred_at": NOW_MS - age_ms}).encode()
    assert ask(body, may_import=True).occurred_at_ms == NOW_MS - age_ms
    if age_ms <= OLDEST_CLAIM_MS:
        assert ask(body).occurred_at_ms == NOW_MS - age_ms
    else:
        with pytest.raises(Forbidden, match="scope import"):
            ask(body)


def test_future_claim_is_clipped() -> None:
    """A request from the future counts as five minutes from now."""
    assert ask(b'{"occurred_at":%d}' % (2**53 - 1)).occurred_at_ms == NOW_MS + 300_000


def test_request_has_no_key_by_content() -> None:
    """Two equal requests are two; only an id of the sender's makes a repeat of one."""
    plain, named = ask(b'{"occurred_at":%d}' % NOW_MS), ask(b'{"event_id":"e1"}')
    assert (plain.event_key, len(named.event_key)) == (b"", 16)


@pytest.mark.parametrize(
    ("address", "is_hosting"), [("198.51.100.7", True), ("192.0.2.1", False), ("nonsense", False), ("", False)]
)
def test_address_is_enriched_at_intake(address: str, is_hosting: bool) -> None:
    """What offline data say of an address is stamped into the event, with the version of the data."""
    assert HOSTING_NETWORK == "198.51.100.0/24"
    facts = ask(json.dumps({"ip_address": address, "user_agent": "curl/8.0"}).encode()).facts
    assert (facts.is_hosting, facts.is_library_agent) == (is_hosting, True)
    assert " ded=" in facts.version


# cost reports


@pytest.mark.parametrize("field", ["request_id", "message_id", "cost"])
@pytest.mark.parametrize("wrong", [None, "", [], {}, 2**60], ids=repr)
def test_cost_report_needs_its_fields(field: str, wrong: object) -> None:
    """A report without its id, its message or its cost is refused by the field's name."""
    with pytest.raises(InvalidField) as refused:
        WORLD.read_cost(**{field: wrong})
    assert refused.value.path == field


@pytest.mark.parametrize(
    ("request_id", "taken"), [(0, False), (-1, False), (1, True), (2**53 - 1, True), (2**53, False)]
)
def test_request_id_is_positive(request_id: int, taken: bool) -> None:
    """A request id is what JavaScript can hold, and not 0."""
    if taken:
        assert WORLD.read_cost(request_id=request_id).payload.request_id == request_id
    else:
        with pytest.raises(InvalidField, match="request_id"):
            WORLD.read_cost(request_id=request_id)


def test_report_counts_once() -> None:
    """One request and message are one report, whatever else is said; other cost for it is a conflict."""
    world = World()
    assert world.report_cost(cost=5).positions == [1]
    assert world.report_cost(cost=5, at=NOW_MS + 9, occurred_at=NOW_MS).conflicts == ()
    assert world.report_cost(cost=6).conflicts == (0,)
    assert world.report_cost(cost=7, message_id="m2").positions == [2]
    assert world.record().spend.cost_microdollars == 12


def test_anonymous_report_follows_its_request() -> None:
    """A report without a user counts for whom the request was classified, though its own facts are missing."""
    world = World()
    anonymous = {"ip_address": "192.0.2.1", "ja4_digest": "t13d", "user_agent": "curl/8"}
    decision = world.classify("anon:192.0.2.1", **anonymous)
    world.report_cost("anon:192.0.2.1", request_id=decision.request_id, cost=5)
    assert world.identity(decision.identity_key).record.spend.cost_microdollars == 5


def test_unknown_request_counts_by_own_facts() -> None:
    """Where the request is not known, the report's own fields say whose the cost is."""
    world = World()
    world.report_cost("u1", request_id=999, cost=5)
    world.report_cost(None, request_id=998, cost=7, ip_address="192.0.2.1")
    assert world.record().spend.cost_microdollars == 5
    nobody = fingerprint("192.0.2.1", "no_ja4", "no_ua")
    assert world.identity(nobody).record.spend.cost_microdollars == 7


# sign-ins


@pytest.mark.parametrize("field", ["kilo_user_id", "event_type", "email"])
@pytest.mark.parametrize("wrong", [None, "", 5, []], ids=repr)
def test_sign_in_needs_its_fields(field: str, wrong: object) -> None:
    """A sign-in without user, kind or e-mail is refused by the field's name, and never by its value."""
    with pytest.raises(InvalidField) as refused:
        WORLD.read_auth(**{field: wrong})
    assert refused.value.path == field
    assert "example.com" not in str(refused.value)


@given(
    st.dictionaries(
        st.sampled_from(
            sorted(set(AuthEventPayload.__struct_fields__) - {"extra", "kilo_user_id", "event_type", "email"})
        ),
        json_values,
        max_size=6,
    )
)
@settings(max_examples=200, deadline=None)
def test_nothing_optional_refuses_a_sign_in(said: dict[str, Any]) -> None:
    """Whatever stands in the optional fields of a sign-in, it is taken, folded and retold alike."""
    world = World()
    world.sign_in(**said)
    assert world.retold().states.all() == world.states.all()


def test_sign_in_ids() -> None:
    """A sign-in is known again by the sender's id, else by its time and content; without both each one counts."""
    assert WORLD.read_auth().event.event_key == b""
    assert WORLD.read_auth(event_id="e1").event.event_key == WORLD.read_auth(event_id="e1", is_bot=True).event.event_key
    timed = [WORLD.read_auth(occurred_at=NOW_MS, at=NOW_MS + late).event.event_key for late in (0, 7)]
    assert timed[0] == timed[1] != WORLD.read_auth(occurred_at=NOW_MS, is_bot=True).event.event_key


def test_sign_in_trims_as_javascript() -> None:
    """A sign-in names the identity that requests name, though blanks stand around the id."""
    assert WORLD.read_auth(kilo_user_id="\ufeff u1 ").event.identity == ask(b'{"kilo_user_id":"\\ufeff u1 "}').identity
