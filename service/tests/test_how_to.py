"""The how-to pages, done as they say: each command is run, each snippet is put where its first line says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[2] / "docs/how-to"
BLOCK = re.compile(r"^```(sh|yaml|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Desk:
    """A shell in a folder of its own, beside a running service."""

    def __init__(self, service, folder):
        self.service = service
        self.folder = folder
        self.environment = os.environ | {
            "ABUSE_DATA": str(service.data),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "200",
        }

    def run(self, command, expect=0):
        """What a command prints."""
        command = command.replace("http://127.0.0.1:8787", str(self.service.client.base_url))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == expect, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def insert(self, snippet):
        """Put a snippet below the line that it names, or at the end where that is the last section."""
        heading, _, lines = snippet.partition("\n")
        section = heading.removeprefix("# under ")
        policy = self.folder / "policy.yaml"
        before, found, after = policy.read_text().partition(f"\n{section}\n")
        assert found, heading
        policy.write_text(f"{before}\n{section}\n{lines}{after}")

    def answer(self):
        """The last answer of the service that a command kept."""
        return json.loads((self.folder / "answer.json").read_text())


@pytest.fixture
def desk(run_service, tmp_path):
    """A desk beside a service with the shipped policy."""
    folder = tmp_path / "desk"
    folder.mkdir()
    return Desk(run_service(tmp_path / "data"), folder)


def test_add_a_rule(desk):
    """Whoever follows the page has a rule of his own, first in shadow, then live, then taken back."""
    printed, answers = [], []
    for kind, block in BLOCK.findall((PAGES / "add-a-rule.md").read_text()):
        if kind == "yaml":
            desk.insert(block)
        elif kind == "sh":
            printed.append(desk.run(block))
            if "answer.json" in block:
                answers.append(desk.answer())
        else:
            slip = block
    shadow, live = answers
    assert shadow["verdict"] != "SOFT_BLOCK"
    assert {"model-taster": "shadow"}.items() <= {
        match["id"]: match["mode"] for match in shadow["rules_engine"]["matches"]
    }.items()
    assert (live["verdict"], live["rules_engine"]["resolved_action"]) == ("SOFT_BLOCK", "rate-limit")
    matched = {match["id"]: match["reason"] for match in live["rules_engine"]["matches"]}
    assert matched["model-taster"] == "7 models within ten minutes, unpaid"
    assert "user:taster-1" in "".join(printed)
    again = desk.service.post("/api/classify", {"kilo_user_id": "taster-1", "requested_model": "m"}).json()
    assert again["verdict"] != "SOFT_BLOCK"
    policy = desk.folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("when: models_10m >", "when: models_10min >"))
    shown = desk.run("abuse-service policy check policy.yaml", expect=1)
    for line in slip.splitlines():
        assert re.sub(r":\d+:\d+|\[\d+\]", "", line) in re.sub(r":\d+:\d+|\[\d+\]", "", shown)


def test_erase_a_person(desk):
    """Whoever follows the page has everything that is held in a file, and then the person is gone."""
    body = {"kilo_user_id": "user-1", "event_type": "signup", "email": "user-1@example.net"}
    desk.service.post("/api/auth-event", body)
    for kind, block in BLOCK.findall((PAGES / "erase-a-person.md").read_text()):
        assert kind == "sh"
        desk.run(block)
    held = json.loads((desk.folder / "user-1.json").read_text())
    assert held["identity"]["record"]["profile"]["email"] == "user-1@example.net"
    assert b"user-1@example.net" not in (desk.service.data / "abuse.db").read_bytes()


def test_back_up_and_restore(desk):
    """Whoever follows the page has a backup, a restored directory that holds the same, and states made anew."""
    desk.service.events({"type": "user.blocked", "data": {"kilo_user_id": "user-1", "reason": "resold keys"}})
    blocks = BLOCK.findall((PAGES / "back-up-and-restore.md").read_text())
    printed = [desk.run(block) for kind, block in blocks if kind == "sh"]
    assert blocks[1][1].split() == printed[0].splitlines()[0].split()
    assert (desk.folder / "restored" / "abuse.db").exists()
    assert "resold keys" in desk.run("abuse-service identity user:user-1 --data restored")


def test_change_a_threshold_safely(desk):
    """Whoever follows the page sees whom the new number hits before it is in force, and then it is."""
    for user, times in (("hasty", 40), ("calm", 5)):
        for number in range(times):
            desk.service.post("/api/classify", {"kilo_user_id": user, "requested_model": "m", "id": f"{user}{number}"})
    blocks = BLOCK.findall((PAGES / "change-a-threshold-safely.md").read_text())
    printed = [desk.run(block) for kind, block in blocks if kind == "sh"]
    [expected] = [block for kind, block in blocks if kind == "text"]
    assert "new_requests_1m=10" in printed[0]
    for line in expected.splitlines():
        assert line in printed[1]
    assert json.loads((desk.folder / "findings.json").read_text())["policies"][1]["newly_hit"] == 1
    answer = desk.service.post("/api/classify", {"kilo_user_id": "hasty", "requested_model": "m"}).json()
    assert answer["verdict"] == "SOFT_BLOCK"
