"""The first page tells the truth: its requests are sent, and its answers are compared."""

import json
import re
import time
from pathlib import Path

README = (Path(__file__).parents[2] / "README.md").read_text()
REQUESTS = re.findall(r"```sh\ncurl -s http://127\.0\.0\.1:8787(\S+) .*? -d '(.*?)'\n```", README, flags=re.DOTALL)
ANSWERS = re.findall(r"```json\n(.*?)```", README, flags=re.DOTALL)
EXPLAINED = re.search(r"```text\nuser:user-1(.*?)```", README, flags=re.DOTALL)[1]


def test_first_requests_answer_as_printed(run_service):
    """Each request of the first page gets the answer that stands below it, and `explain` says what it says."""
    service = run_service()
    assert len(REQUESTS) == len(ANSWERS) == 2
    for (path, body), answer in zip(REQUESTS, ANSWERS, strict=True):
        assert service.post(path, body.encode()).json() == json.loads(answer)
    deadline, decision = time.monotonic() + 10, {}
    while "reasons" not in decision and time.monotonic() < deadline:
        time.sleep(0.01)  # the record follows the answer
        decision = service.client.get("/api/console/decisions/1").json()
    for reason in decision["reasons"]:
        assert reason in EXPLAINED
    for rule in decision["rules"]:
        weight = f"{rule['evidence']}, weight {rule['weight']}, {rule['share']:+.2f} of the risk"
        assert f"{rule['state']} {rule['rule_id']} → {rule['signal']} ({weight})" in EXPLAINED
