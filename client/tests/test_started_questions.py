"""Questions that nobody waits for: answered in the client's own thread, so many at a time, never left open."""

import asyncio
import multiprocessing
import threading
import time
from concurrent.futures import wait

import pytest

from abuse_client import AbuseClient, AsyncAbuseClient
from abuse_client.contract import ContractError

COST = {"message_id": "msg-1", "cost": 4200}


@pytest.fixture
def gate():
    opened = threading.Event()
    yield opened
    opened.set()


@pytest.fixture
def holding(gate, politely):
    """A behaviour that answers when the gate opens."""

    def behave(handler):
        gate.wait(10)
        politely(handler)

    return behave


def asking_threads():
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("abuse-")]


def test_answer_comes_later(sink, holding, gate):
    """The call returns before the service answers, and starts no thread but the client's one."""
    sink.behave(*[holding] * 20)
    with AbuseClient(sink.url) as client:
        begun = time.monotonic()
        started = [client.start_classification({"kilo_user_id": f"user-{number}"}) for number in range(20)]
        assert time.monotonic() - begun < 1
        sink.wait_for(20)
        assert asking_threads() == ["abuse-client"]
        assert not any(one.done() for one in started)
        gate.set()
        assert {one.result(5).request_id for one in started} == {17}
        assert client.stats().sent == 20


def test_deadline_ends_it(sink, holding, caplog):
    """Where no answer comes in time the future holds ``None``, and that is told and counted."""
    sink.behave(holding)
    with AbuseClient(sink.url) as client:
        begun = time.monotonic()
        assert client.start_classification({}, deadline=0.2).result(5) is None
        assert time.monotonic() - begun < 3
        assert client.stats().failed == 1
    assert "time-out" in caplog.text


def test_so_many_at_a_time(sink, holding, gate, caplog):
    """Beyond ``max_questions`` nothing is asked, which costs no time and is told; then it goes on."""
    sink.behave(holding, holding)
    with AbuseClient(sink.url, max_questions=2) as client:
        started = [client.start_classification({}, deadline=5) for _ in range(5)]
        assert [one.done() and one.result() is None for one in started] == [False, False, True, True, True]
        assert "2 questions are open already" in caplog.text
        gate.set()
        assert [one.result(5) is None for one in started] == [False, False, True, True, True]
        assert client._engine._started.wait_for_none(5)
        assert client.start_classification({}).result(5).request_id == 17
        assert client.classify_request({}) is not None
    assert len(sink.received) == 4


@pytest.mark.parametrize("deadline", [0, -1, float("nan"), "soon", None])
def test_no_time_no_answer(sink, deadline):
    """With no time to answer, or what is no time, the future is there and holds ``None``."""
    with AbuseClient(sink.url) as client:
        assert client.start_classification({}, deadline=deadline).result(5) is None


def test_wrong_payload(sink):
    """A payload that cannot be sent gives ``None``; a strict client raises at the call."""
    with AbuseClient(sink.url) as client, AbuseClient(sink.url, strict=True) as strict:
        assert client.start_classification({"kilo_user_id": object()}).result(0) is None
        assert client.start_classification("user-1").result(0) is None
        with pytest.raises(ContractError):
            strict.start_classification({"kilo_user_id": 5})
    assert sink.received == []


def test_without_address_nothing_is_asked():
    """Without an address the future is there at once and holds ``None``."""
    assert AbuseClient().start_classification({}).result(0) is None
    assert asking_threads() == []


def test_it_cannot_be_cancelled(sink):
    """Whoever gives up a future does not take the answer from those who hang on it."""
    with AbuseClient(sink.url) as client:
        started = client.start_classification({})
        assert started.cancel() is False
        assert started.result(5).request_id == 17


async def test_any_loop_can_await_it(sink):
    """The asyncio client has the same call, and its future can be awaited in any loop."""
    async with AsyncAbuseClient(sink.url) as client:
        answer = await asyncio.wait_for(asyncio.wrap_future(client.start_classification({})), 5)
        assert answer.request_id == 17
        elsewhere = client.start_classification({})
        answer = await asyncio.to_thread(lambda: asyncio.run(_awaited(elsewhere)))
        assert answer.request_id == 17


async def _awaited(started):
    return await asyncio.wrap_future(started)


def test_close_waits_for_costs(sink, politely):
    """A cost that waits for its answer still leaves when the client is closed meanwhile."""

    def slowly(handler):
        time.sleep(0.3)
        politely(handler)

    sink.behave(slowly)
    client = AbuseClient(sink.url)
    client.start_classification({}).add_done_callback(
        lambda started: client.report_cost(COST | {"request_id": started.result().request_id})
    )
    client.close()
    assert [one.path for one in sink.received] == ["/api/classify", "/api/usage/cost"]
    assert client.start_classification({}).result(0) is None


def test_close_leaves_none_open(sink, holding):
    """Whatever is asked while another thread closes the client, each future comes to its end."""
    sink.behave(*[holding] * 1000)
    for _ in range(3):
        client = AbuseClient(sink.url, max_questions=64, exit_flush_s=0.02)
        started, is_over = [], threading.Event()

        def ask(client=client, started=started, is_over=is_over):
            while not is_over.is_set():
                started.append(client.start_classification({}, deadline=600))

        asking = [threading.Thread(target=ask) for _ in range(3)]
        for thread in asking:
            thread.start()
        time.sleep(0.02)
        client.close()
        is_over.set()
        for thread in asking:
            thread.join()
        assert not wait(started, 60).not_done


def _ask_in_child(client, results):
    answer = client.start_classification({}).result(5)
    results.put((answer and answer.request_id, len(client._engine._started)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # newer Pythons warn of any fork beside threads
def test_child_asks_by_itself(sink, holding, gate):
    """After a fork the child counts its own questions only; those of its parent are answered in the parent."""
    sink.behave(holding)
    with AbuseClient(sink.url, max_questions=1) as client:
        started = client.start_classification({}, deadline=10)
        sink.wait_for(1)
        context = multiprocessing.get_context("fork")
        results = context.Queue()
        child = context.Process(target=_ask_in_child, args=(client, results))
        child.start()
        assert results.get(timeout=10) == (17, 0)
        child.join(10)
        gate.set()
        assert started.result(5).request_id == 17
