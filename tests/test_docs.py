"""What the documents promise, held against the tree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
DECISIONS = ROOT / "docs" / "decisions"
RECORDS = sorted(path for path in DECISIONS.glob("[0-9]*.md"))
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SECTIONS = ["Status", "Context", "Decision", "Consequences", "Rejected"]


def makefile_targets() -> set[str]:
    """Every target that the Makefile defines."""
    return set(re.findall(r"(?m)^([a-z][a-z-]*):(?!=)", (ROOT / "Makefile").read_text(encoding="utf-8")))


def commands_in(page: str) -> list[str]:
    """The make targets that a page tells its reader to type."""
    blocks = "\n".join(re.findall(r"```[^\n]*\n(.*?)```", page, flags=re.DOTALL))
    inline = "\n".join(re.findall(r"`([^`\n]+)`", page))
    return re.findall(r"(?m)(?:^|[\s;&(])make(?:\s+-\S+|\s+[A-Z_]+=\S+)*\s+([a-z][a-z-]*)", f"{blocks}\n{inline}")


def test_readme_names_its_commands() -> None:
    """The first page tells how to see it run and how to test it."""
    assert {"demo", "test"} <= set(commands_in((ROOT / "README.md").read_text(encoding="utf-8")))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_documented_make_targets_exist(page: Path) -> None:
    """No page names a make target that is not there."""
    missing = set(commands_in(page.read_text(encoding="utf-8"))) - makefile_targets()
    assert missing == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file that exists."""
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_decision_has_its_sections(record: Path) -> None:
    """A decision record has the five sections in order, and 30 to 80 lines."""
    text = record.read_text(encoding="utf-8")
    assert re.findall(r"(?m)^## (.+)$", text) == SECTIONS
    assert 30 <= len(text.splitlines()) <= 80


def test_decisions_are_indexed() -> None:
    """The index lists each record once, and the numbers run without a gap."""
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\d{4}-[a-z0-9-]+\.md)\)", index) == [record.name for record in RECORDS]
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_commands_are_found_in_fences_and_text() -> None:
    """The reader of commands sees what a person would type, and no prose."""
    page = "We make sure.\n```sh\nDEMO_EXIT=1 make demo\nmake -j2 test\n```\nThen `make check`.\n"
    assert commands_in(page) == ["demo", "test", "check"]
