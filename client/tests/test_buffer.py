"""The queue between callers and the sender: bounded, in order, and never in the caller's way."""

import threading

from abuse_client.buffer import MAX_ENVELOPE_EVENTS, MAX_UNSORTED, Buffer
from abuse_client.reports import EVENTS_PATH, LASTING_KINDS, OVERHEAD_BYTES, Report


def event(kind="org.created", size=10):
    return Report(EVENTS_PATH, kind, b"a" * size)


def single(size=10):
    return Report("/api/usage/cost", "/api/usage/cost", b"a" * size)


def filled(*reports, max_reports=100, max_bytes=10**6):
    buffer = Buffer(max_reports, max_bytes)
    for report in reports:
        buffer.put(report)
    buffer.sort()
    return buffer


def left(buffer):
    """The kinds of what waits, in the order in which it leaves."""
    kinds = []
    while batch := buffer.take_events() or buffer.take_single():
        kinds += [report.kind for report in batch.reports]
        buffer.settle(batch)
    return kinds


def test_bytes_are_bounded_with_overhead():
    """However few the reports, their memory is bounded; one beyond the bound is dropped itself."""
    weight = 400 + OVERHEAD_BYTES
    buffer = Buffer(max_reports=100, max_bytes=2 * weight)
    for _ in range(4):
        buffer.put(event(size=400))
    assert buffer.sort() == 2
    assert (buffer.queued, buffer.queued_bytes) == (2, 2 * weight)
    buffer.put(event(size=2000))
    assert buffer.sort() == 3
    assert (buffer.queued, buffer.queued_bytes) == (0, 0)


def test_oldest_goes_first_whatever_it_is():
    """Events and costs wait in lines of their own; the one that came first goes first."""
    buffer = filled(event("a.first"), single(), event("b.second"), event("c.third"), max_reports=2)
    assert left(buffer) == ["b.second", "c.third"]


def test_blocks_and_disputes_go_last():
    """A block that came first outlives everything else, and only a newer one pushes it out."""
    ordinary = [event(f"ordinary-{number}") for number in range(20)]
    lasting = [event(kind) for kind in sorted(LASTING_KINDS)]
    buffer = filled(*lasting, *ordinary, single(), max_reports=len(lasting) + 1)
    assert sorted(left(buffer)) == sorted([*LASTING_KINDS, "/api/usage/cost"])
    buffer = filled(event("user.blocked"), event("user.unblocked"), max_reports=1)
    assert left(buffer) == ["user.unblocked"]


def test_events_leave_in_order():
    """Blocks and ordinary events are dropped apart and sent together, in the order in which they came."""
    buffer = filled(event("one"), event("user.blocked"), event("two"), event("user.unblocked"), event("three"))
    batch = buffer.take_events()
    assert [report.kind for report in batch.reports] == ["one", "user.blocked", "two", "user.unblocked", "three"]


def test_envelope_is_bounded():
    """An envelope takes 200 events and 4 MiB, and one larger event by itself."""
    buffer = filled(*[event() for _ in range(MAX_ENVELOPE_EVENTS + 1)], max_reports=1000)
    assert [len(buffer.take_events().reports), len(buffer.take_events().reports)] == [MAX_ENVELOPE_EVENTS, 1]
    large = filled(*[event(size=3 * 2**20) for _ in range(2)], event(size=5 * 2**20), max_bytes=10**9)
    assert [len(large.take_events().reports) for _ in range(3)] == [1, 1, 1]


def test_caller_never_waits_for_lock():
    """A report is put while somebody else holds the lock, be it the same thread in a signal handler."""
    buffer = filled(event())
    with buffer._lock:
        buffer.put(event())
        assert buffer.sort() == 0
    assert buffer.queued == 2


def test_sleeping_sender_is_woken_once():
    """The sender is woken when it sleeps, and left alone while it works."""
    buffer = Buffer(100, 10**6)
    assert not buffer.put(event())
    buffer.sort()
    assert not buffer.sleeps(seen=0)
    assert buffer.sleeps(seen=1)
    assert [buffer.put(event()), buffer.put(event())] == [True, False]


def test_crowd_is_sorted_by_caller():
    """Before the sender comes round, no more than a few reports, and no large one, are beyond the bound."""
    buffer = Buffer(10, 10**6)
    for _ in range(MAX_UNSORTED):
        buffer.put(event())
    assert not buffer.is_crowded(event())
    buffer.put(event())
    assert buffer.is_crowded(event())
    assert buffer.sort() == MAX_UNSORTED + 1 - 10
    assert buffer.is_crowded(event(size=100_000))


def test_settled_waits_for_what_was_put():
    """Flushing waits for what was reported before, not for what comes after, and survives drops."""
    buffer = Buffer(max_reports=2, max_bytes=10**6)
    buffer.put(single())
    first = buffer.settled()
    batch = buffer.take_single()
    buffer.put(single())
    second = buffer.settled()
    assert not first.done()
    buffer.settle(batch)
    assert first.done()
    assert not second.done()
    buffer.put(event())
    buffer.put(event())
    assert buffer.sort() == 1
    assert second.done()
    assert Buffer(1, 1).settled().done()


def test_many_threads_lose_nothing():
    """Reports of many threads that sort for themselves are each there once."""
    buffer = Buffer(10**6, 10**9)

    def put():
        for _ in range(2000):
            report = event()
            buffer.put(report)
            if buffer.is_crowded(report):
                buffer.sort()

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    buffer.sort()
    assert buffer.queued == 16_000
    assert buffer.numbered == 16_000
