"""A thousand requests at once, over real HTTP, and a power cut while they are in flight (decision 0014)."""

import asyncio
import re
import threading

import httpx

PARALLEL = 1000
CONNECTIONS = 50
LIMIT = 1_000_000
ESTIMATE = 100_000
"""The default policy's cap: what a request with a large max_tokens reserves."""


async def ask_at_once(url, bodies):
    """All answers, the requests sent side by side over many connections."""
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        places = asyncio.Semaphore(CONNECTIONS)

        async def ask(body):
            async with places:
                return (await client.post("/api/classify", json=body)).json()

        return await asyncio.gather(*(ask(body) for body in bodies))


def asked(user, number):
    """One of many requests that would be dear."""
    return {"kilo_user_id": user, "requested_model": "claude-opus-4", "max_tokens": 32_000, "user_prompt": f"{number}"}


def served_as_asked(answers):
    """Those that were neither refused nor sent to another model."""
    return [
        one for one in answers if one["action_metadata"].get("model_override") is None and one["verdict"] == "ALLOW"
    ]


def test_thousand_at_once_overshoot_by_one(run_service):
    """A thousand parallel requests of one unpaid identity: what is let through is worth the limit and one estimate at
    most, and once it is reported only what it cost counts."""
    service = run_service()
    url = str(service.client.base_url)
    answers = asyncio.run(ask_at_once(url, [asked("flood", number) for number in range(PARALLEL)]))
    served = served_as_asked(answers)
    assert len(answers) == PARALLEL
    assert len(served) * ESTIMATE == LIMIT + ESTIMATE
    for answer in served:
        report = {"request_id": answer["request_id"], "message_id": "m", "cost": 1_000, "kilo_user_id": "flood"}
        assert service.post("/api/usage/cost", report).json()["do_updated"]
    assert wait_for_metric(service, "abuse_open_reservations") == 0
    request_id = service.post("/api/classify", asked("flood", 0)).json()["request_id"]
    assert unpaid(service, request_id) == 1_000 * len(served)


def test_power_cut_keeps_what_is_open(run_service):
    """After a power cut what was promised is promised still, from the image and from the log behind it."""
    service = run_service(snapshot_seconds=0.2, classify_wait_for_disk="true")
    ids = [service.post("/api/classify", asked("cut", number)).json()["request_id"] for number in range(6)]
    threading.Event().wait(0.6)
    ids += [service.post("/api/classify", asked("cut", number)).json()["request_id"] for number in range(4)]
    report = {"request_id": ids[0], "message_id": "m", "cost": 10, "kilo_user_id": "cut"}
    service.post("/api/usage/cost", report)
    service.kill()
    again = run_service(service.data, classify_wait_for_disk="true")
    request_id = again.post("/api/classify", asked("cut", 99)).json()["request_id"]
    assert unpaid(again, request_id) == 9 * ESTIMATE + 10


def unpaid(service, request_id):
    """The unpaid use that a decision read."""
    for _ in range(40):
        answer = service.client.get(f"/api/console/decisions/{request_id}")
        if answer.status_code == 200:
            return answer.json()["values"]["cluster.unpaid_microdollars"]
        threading.Event().wait(0.05)
    raise AssertionError(answer.text)


def wait_for_metric(service, name, wanted=0.0):
    """The metric, once it is what is wanted or a second went by: it is told twenty times a second."""
    for _ in range(20):
        found = float(re.search(rf"(?m)^{name} (\S+)$", service.client.get("/metrics").text)[1])
        if found == wanted:
            break
        threading.Event().wait(0.05)
    return found
