"""Fifty greenlets that report and ask at once; prints what became of it and the longest time a ticker waited."""

import sys

if sys.argv[2] == "patched":
    from gevent import monkey

    monkey.patch_all()

import time

import gevent

from abuse_client import AbuseClient, events

client = AbuseClient(sys.argv[1])
assert client.classify_request({}, deadline=5) is not None
longest = 0.0
is_done = False


def tick() -> None:
    """Note the longest time between two turns."""
    global longest
    while not is_done:
        slept = time.perf_counter()
        gevent.sleep(0.001)
        longest = max(longest, time.perf_counter() - slept)


def work(number: int) -> bool:
    """Report and ask."""
    client.report_event(events.user_deleted(kilo_user_id=f"user-{number}"))
    if sys.argv[2] == "pool":
        return gevent.get_hub().threadpool.apply(client.classify_request, ({}, 10)) is not None
    if sys.argv[2] == "started":
        started = client.start_classification({}, deadline=10)
        while not started.done():
            gevent.sleep(0.005)
        return started.result() is not None
    return client.classify_request({}, deadline=10) is not None


ticker = gevent.spawn(tick)
workers = gevent.joinall([gevent.spawn(work, number) for number in range(50)])
is_done = True
ticker.join()
assert all(worker.value for worker in workers)
assert client.flush(5)
print(client.stats().sent, longest)
client.report_event(events.user_deleted(kilo_user_id="at exit"))
