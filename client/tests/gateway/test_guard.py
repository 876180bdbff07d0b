"""The guard for threads: whom it keeps waiting, what it does, and how the cost finds its request."""

import logging
import multiprocessing
import threading
import time
from concurrent.futures import Future

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_client import AbuseClient
from abuse_client.contract import ClassifyPayload, ResolvedAction, identity_key
from abuse_client.gateway import Guard, GuardSettings, Mode, rule_on
from abuse_client.testing import RecordingClient, classification

ASKED = {"kilo_user_id": "user-1", "ip_address": "192.0.2.7", "user_agent": "agent/1", "requested_model": "model-a"}
COST = {"message_id": "msg-1", "cost": 4200}


class HeldBack(RecordingClient):
    """A client whose answers wait until they are let go."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Event()

    def classify_request(self, payload, deadline=2.0):
        answer = super().classify_request(payload, deadline)
        assert self.gate.wait(5)
        return answer

    def start_classification(self, payload, deadline=2.0):
        answer, started = super().classify_request(payload, deadline), Future()

        def let_go():
            assert self.gate.wait(5)
            started.set_result(answer)

        threading.Thread(target=let_go, daemon=True).start()
        return started


def wait_for(is_true, within_s=5.0):
    until = time.monotonic() + within_s
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.001)


def admitted(guard, asked=ASKED):
    """A passage whose answer has come."""
    passage = guard.admit(asked, lingers=False)
    passage._answering.result(5)
    return passage


def code_of(passage):
    return passage.refusal and passage.refusal.code


def test_newcomer_never_waits():
    """Of whom nothing is remembered passes at once, however long the answer takes; the next request obeys it."""
    client = HeldBack()
    client.answer(classification("block"))
    guard = Guard(client)
    passage = guard.admit(ASKED)
    assert (passage.refusal, passage.classification) == (None, None)
    client.gate.set()
    wait_for(lambda: passage.classification is not None)
    assert code_of(guard.admit(ASKED)) == "abuse_blocked"


@pytest.mark.parametrize("action", ["nothing", "log"])
def test_harmless_action_never_waits(action):
    """A remembered action that enforces nothing keeps nobody waiting."""
    client = HeldBack()
    client.gate.set()
    client.answer(classification("block"), classification(action), classification("block"))
    guard = Guard(client)
    admitted(guard)
    assert admitted(guard).refusal is None
    client.gate.clear()
    assert guard.admit(ASKED).refusal is None
    client.gate.set()


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (classification("block"), "abuse_blocked"),
        (classification("rate-limit"), "rate_limit_exceeded"),
        (classification(None), "abuse_blocked"),
        (classification("nothing", request_id=0), "abuse_blocked"),
        (None, "abuse_blocked"),
        (classification("nothing"), None),
        (classification("log"), None),
        (classification("quarantine-1"), None),
    ],
)
def test_fresh_answer_or_else_remembered(second, expected):
    """After a block the request waits: a fresh action counts, and silence of any kind leaves the block in force."""
    client = RecordingClient()
    client.answer(classification("block"), second)
    guard = Guard(client)
    admitted(guard)
    assert code_of(guard.admit(ASKED, lingers=False)) == expected


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["user-1", "user-2", "anon:192.0.2.7"]),
            st.sampled_from(["no answer", "failed inside", None, *ResolvedAction]),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_guard_equals_its_definition(requests):
    """For any requests and answers the guard does what "fresh or else remembered" says, identity by identity."""
    client = RecordingClient()
    guard = Guard(client)
    remembered = {}
    for user, told, has_own_key in requests:
        special = {"no answer": None, "failed inside": classification(request_id=0)}
        answer = special[told] if told in special else classification(told)
        client.answer(answer)
        passage = admitted(guard, {"kilo_user_id": user, "is_user_byok": has_own_key})
        before = remembered.get(user)
        expected = rule_on(answer, before, has_own_key=has_own_key)
        waits = before is not None and before.enforces(guard.settings)
        if waits:
            assert passage.ruling == expected
        else:
            assert passage.ruling.changes_nothing
        remembered[user] = expected.measure


def test_quarantine_is_waited_out():
    """A quarantined request comes back from the guard only after its wait."""
    client = RecordingClient()
    client.answer(classification("quarantine-1"))
    guard = Guard(client, GuardSettings(quarantine_1_s=0.2))
    admitted(guard)
    began = time.monotonic()
    assert guard.admit(ASKED).refusal is None
    assert time.monotonic() - began >= 0.2


def test_every_request_may_wait():
    """Who prefers certainty has each request wait for its own answer."""
    client = RecordingClient()
    client.answer(classification("block"))
    assert code_of(Guard(client, GuardSettings(always_waits=True)).admit(ASKED)) == "abuse_blocked"


def test_observe_only_logs(caplog):
    """A guard that observes touches nobody, and says what it would have done and by which request's answer."""
    caplog.set_level(logging.INFO, "abuse_client.gateway")
    client = HeldBack()
    client.answer(classification("block", request_id=41))
    guard = Guard(client, GuardSettings(mode=Mode.OBSERVE))
    for _ in range(2):
        passage = guard.admit(ASKED)
        assert (passage.refusal, passage.classification) == (None, None)
        client.gate.set()
        passage._answering.result(5)
        client.gate.clear()
    client.gate.set()
    wait_for(lambda: len(caplog.messages) == 2)
    assert caplog.messages[0] == "observe: would answer 403 abuse_blocked, by the answer to request 41"
    assert "user-1" not in caplog.text
    assert "192.0.2.7" not in caplog.text


def test_log_leaves_line(caplog):
    """The action `log` leaves a line that leads to the decision."""
    caplog.set_level(logging.INFO, "abuse_client.gateway")
    client = RecordingClient()
    client.answer(classification("log", request_id=9, signals=["datacenter_ip"]))
    admitted(Guard(client))
    assert caplog.messages == ["request 9 is to be logged: datacenter_ip"]


def test_cost_names_request():
    """The cost carries the request id of the answer and the identity that was asked about."""
    client = RecordingClient()
    client.answer(classification("nothing", request_id=77))
    admitted(Guard(client)).report_cost(**COST, input_tokens=10, output_tokens=20)
    assert client.costs == [ASKED | COST | {"request_id": 77, "input_tokens": 10, "output_tokens": 20}]


def test_cost_follows_late_answer():
    """A cost that is known before the answer came is reported after it, once, and nobody waits for that."""
    client = HeldBack()
    client.answer(classification(None, request_id=78))
    passage = Guard(client).admit(ASKED)
    passage.report_cost(**COST)
    assert client.costs == []
    client.gate.set()
    wait_for(lambda: client.costs)
    client.assert_cost_reported(times=1, request_id=78, message_id="msg-1")


def test_flush_hands_costs_over():
    """At an orderly end the costs that wait for their answers are with the client; too short a flush says so."""
    client = HeldBack()
    client.answer(classification("nothing"))
    guard = Guard(client)
    for number in range(20):
        guard.admit(ASKED | {"kilo_user_id": f"user-{number}"}).report_cost(**COST)
    assert guard.flush(0.01) is False
    client.gate.set()
    assert guard.flush(5)
    assert len(client.costs) == 20


@pytest.mark.parametrize("answer", [None, classification(request_id=0)])
def test_no_answer_no_cost(answer):
    """Without a classification, or with one that failed, there is nothing that a cost could be joined to."""
    client = RecordingClient()
    client.answer(answer)
    admitted(Guard(client)).report_cost(**COST)
    assert client.costs == []


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"kilo_user_id": 5, "ip_address": ["192.0.2.7"], "is_byok": "yes"},
        {"kilo_user_id": "half \ud83d"},
        {"kilo_user_id": "x" * 2_000},
        ClassifyPayload(kilo_user_id=7),
        None,
        "user-1",
    ],
)
def test_odd_payloads_pass(asked, sink):
    """Whatever the product hands over, its user is served and nothing is raised."""
    with AbuseClient(sink.url) as client:
        passage = Guard(client).admit(asked)
        assert passage.refusal is None
        passage._answering.result(5)
        passage.report_cost(**COST)


def test_key_is_the_contracts():
    """Guard and service know an identity by the same key."""
    client = RecordingClient()
    facts = {"kilo_user_id": "anon:192.0.2.7", "ip_address": "192.0.2.7", "ja4_digest": "t13d", "user_agent": "a"}
    assert Guard(client).admit(facts).identity_key == identity_key("anon:192.0.2.7", "192.0.2.7", "t13d", "a")


class Strict(RecordingClient):
    """A client that finds every payload wrong."""

    def classify_request(self, payload, deadline=2.0):
        raise ValueError("wrong payload")

    start_classification = classify_request

    def report_cost(self, payload):
        raise ValueError("wrong payload")


@pytest.mark.parametrize("always_waits", [True, False])
def test_strict_client_raises(always_waits):
    """In development a wrong payload raises where it is admitted, whether the request waits for its answer or not."""
    guard = Guard(Strict(), GuardSettings(always_waits=always_waits))
    with pytest.raises(ValueError, match="wrong payload"):
        guard.admit(ASKED)
    assert guard.flush(0)


def test_strict_client_raises_for_cost():
    """A wrong cost raises where it is reported, once the answer is there."""
    client = Strict()
    client.start_classification = RecordingClient.start_classification.__get__(client)
    client.answer(classification("nothing"))
    with pytest.raises(ValueError, match="wrong payload"):
        admitted(Guard(client)).report_cost(**COST)


def test_lifted_meanwhile_is_lifted():
    """A wait that fails does not bring back what another request's answer lifted meanwhile."""
    client = RecordingClient()
    client.answer(classification("block"))
    guard = Guard(client)
    admitted(guard)

    def fails(payload, deadline=2.0):
        client.classify_request = RecordingClient.classify_request.__get__(client)
        client.answer(classification("nothing"))
        assert guard.admit(ASKED).refusal is None
        return

    client.classify_request = fails
    assert guard.admit(ASKED).refusal is None


def test_real_client_is_asked(sink):
    """With the real client over real HTTP a block is learnt from one answer and enforced with the next."""
    with AbuseClient(sink.url) as client:
        guard = Guard(client)
        passage = admitted(guard)
        assert passage.classification.request_id == 17
        passage.report_cost(**COST)
        assert client.flush(5)
    assert [one.path for one in sink.received] == ["/api/classify", "/api/usage/cost"]
    assert sink.received[1].fields["request_id"] == 17


def _judge_in_child(guard, results):
    results.put(code_of(admitted(guard)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # newer Pythons warn of any fork beside threads
def test_child_remembers_and_asks():
    """After a fork the child still knows what was in force, and asks by itself."""
    client = RecordingClient()
    client.answer(classification("block"))
    guard = Guard(client)
    admitted(guard)
    guard._memory._lock.acquire()  # a thread of the parent that the child does not have
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    child = context.Process(target=_judge_in_child, args=(guard, results))
    child.start()
    guard._memory._lock.release()
    assert results.get(timeout=10) == "abuse_blocked"
    child.join(10)
