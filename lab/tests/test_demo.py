"""The demonstration: what it shows is what the service answered, and it notices when something is not so."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from rich.console import Console

from abuse_client.contract import EVENT_CLASSES, Verdict
from abuse_lab.demo.claims import DEMANDS, complaints
from abuse_lab.demo.page import render
from abuse_lab.demo.sight import UNKNOWN_TYPE, AccountSight, Sight, UnknownSight
from abuse_lab.desk import DecisionLine, ExplainedDecision, IdentityPage, KeptEvent, RecordPage, SpendPage
from cloud.story import Account

PLACES = ["sign-in", "backoffice", "backoffice", "playground", "v1"]
"""The first parts of the paths that the closing lines name."""
DEMO = [sys.executable, "-m", "abuse_lab", "demo"]


def account_sight(role: str) -> AccountSight:
    """An account that fits its role."""
    verdict = min(DEMANDS[role].verdicts)
    signals = [DEMANDS[role].signal or "none"]
    decision = ExplainedDecision(
        request_id=7,
        decided_at_ms=0,
        identity_key=f"user:{role}",
        policy_version="p1",
        position=1,
        verdict=verdict,
        risk_score=0.5,
        reasons=(f"the reason for {role}",),
        signals=tuple(signals),
        event_type="request.classified",
    )
    return AccountSight(
        account=Account(role=role, kilo_user_id=role, email=f"{role}@example.com", deeds=("signed up",)),
        page=IdentityPage(
            f"user:{role}",
            RecordPage(SpendPage(1, 1, 2_500_000, 0, 0), {}),
            [DecisionLine(7, verdict.value, None, signals)],
        ),
        decisions=(decision,),
    )


def good_sight() -> Sight:
    """A sight in which everything is so."""
    counts = dict.fromkeys(EVENT_CLASSES, 2)
    kept = KeptEvent(9, UNKNOWN_TYPE, None, {})
    return Sight(
        received=counts,
        reported=counts,
        unknown=UnknownSight(answer={"accepted": 1, "unknown_types": [UNKNOWN_TYPE]}, kept=kept),
        accounts=tuple(account_sight(role) for role in DEMANDS),
    )


def with_account(sight: Sight, changed: AccountSight) -> Sight:
    """The sight with one account replaced."""
    role = changed.account.role
    return replace(sight, accounts=tuple(changed if seen.account.role == role else seen for seen in sight.accounts))


def page_of(sight: Sight) -> str:
    """The page as plain text."""
    console = Console(width=100, record=True, file=Path(os.devnull).open("w"))  # noqa: SIM115
    console.print(render(sight))
    console.file.close()
    return console.export_text()


def test_demo_holds_end_to_end() -> None:
    """The real thing ends with status 0, 17 types of 17, a verdict and reasons for each interesting account."""
    ended = subprocess.run(
        DEMO, env=os.environ | {"DEMO_EXIT": "1"}, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "17/17 types" in ended.stdout
    for verdict in ("HARD_BLOCK", "SOFT_BLOCK", "CHALLENGE", "ALLOW"):
        assert verdict in ended.stdout
    assert "the cloud blocked this account" in ended.stdout
    assert max(map(len, ended.stdout.splitlines())) <= 100


def test_demo_stays_until_interrupted(tmp_path: Path) -> None:
    """Without DEMO_EXIT it stays up with pages to open and three commands that work; Ctrl-C takes everything away."""
    environment = os.environ | {"DEMO_EXIT": "", "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    page = tmp_path / "page.txt"
    with page.open("w") as output:
        demo = subprocess.Popen(DEMO, env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + 90
            while "until Ctrl-C" not in page.read_text() and demo.poll() is None and time.monotonic() < deadline:
                time.sleep(0.1)
            tries = re.findall(r"(?m)^\S*abuse-service (.+ --data .+)$", page.read_text())
            assert [line.split()[0] for line in tries] == ["identity", "explain", "tail"]
            for line in tries:
                subprocess.run([sys.executable, "-m", "abuse_service", *line.split()], check=True, capture_output=True)
            places = re.findall(r"(?m)^(http://127\S+)$", page.read_text())
            assert [urlsplit(place).path.split("/")[1] for place in places] == PLACES
            for place in places:
                # Who is not signed in is led to the sign-in; the API has no page.
                answer = httpx.get(place, headers={"accept": "text/html"}, follow_redirects=True, trust_env=False)
                assert answer.status_code == (404 if urlsplit(place).path == "/v1" else 200), place
            owner = json.loads(next(tmp_path.glob("*/data/owner.json")).read_text())
        finally:
            demo.send_signal(signal.SIGINT)
            status = demo.wait(30)
    assert status == 0, page.read_text()
    assert list(tmp_path.iterdir()) == [page]
    with pytest.raises(ProcessLookupError):
        os.kill(owner["pid"], 0)


def test_good_sight_has_no_complaints() -> None:
    """Nothing is found where everything is so."""
    assert complaints(good_sight()) == []


def test_missing_type_is_noticed() -> None:
    """A type that the service did not count fails the demonstration and shows as none."""
    sight = good_sight()
    sight = replace(sight, received={kind: number for kind, number in sight.received.items() if kind != "user.deleted"})
    assert complaints(sight)[0] == "no user.deleted arrived"
    assert "16/17 types" in page_of(sight)


def test_lost_event_is_noticed() -> None:
    """Fewer events than the cloud reported fail the demonstration."""
    sight = good_sight()
    sight = replace(sight, reported=sight.reported | {"user.blocked": 3})
    assert complaints(sight) == ["user.blocked: the cloud reported 3, the service counts 2"]


def test_refused_unknown_type_is_noticed() -> None:
    """An unknown type that was rejected or is not in the log fails the demonstration."""
    sight = replace(good_sight(), unknown=UnknownSight(answer={"accepted": 0}, kept=None))
    assert len(complaints(sight)) == 2
    assert "is not in the log" in page_of(sight)


@pytest.mark.parametrize("role", DEMANDS)
def test_wrong_verdict_is_noticed(role: str) -> None:
    """An account whose verdict does not fit its role fails the demonstration."""
    sight = good_sight()
    seen = sight.account(role)
    wrong = min(set(Verdict) - DEMANDS[role].verdicts).value
    line = DecisionLine(7, wrong, None, seen.line.signals)
    page = IdentityPage(seen.page.identity_key, seen.page.record, [line])
    found = complaints(with_account(sight, replace(seen, page=page)))
    assert found[0].startswith(f"{role}: found {wrong}, expected ")


def test_account_without_decision_is_noticed() -> None:
    """An account of a shown role that was never decided on fails the demonstration and is shown as such."""
    sight = good_sight()
    seen = sight.account("honest")
    page = IdentityPage(seen.page.identity_key, seen.page.record, [])
    sight = with_account(sight, replace(seen, page=page, decisions=()))
    assert complaints(sight) == ["honest: no decision"]
    assert "no decision" in page_of(sight)


def test_page_prints_what_was_answered() -> None:
    """The page's reasons, verdicts and costs are the answers, not what the story expected."""
    page = page_of(good_sight())
    for role in ("blocked", "same_device", "drained", "honest"):
        assert f"the reason for {role}" in page
    assert "2.5000" in page
