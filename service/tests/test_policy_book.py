"""Versions of the policy: which is in force, which was, what differs between two, and policies in several files."""

from pathlib import Path

import pytest

from abuse_service.errors import BadRequest, NotFound, PolicyError
from abuse_service.policy.book import MOST_KEPT, Activation, Cause, PolicyBook, version_of
from abuse_service.policy.diff import diff
from abuse_service.policy.policy import Policy, load_policy, read_document
from abuse_service.testing import policy_text


def book_of(*said: tuple[str, Cause]) -> PolicyBook:
    """A book in which these texts were activated one after the other."""
    book = PolicyBook()
    for position, (text, cause) in enumerate(said, 1):
        version = version_of(text)
        kept = None if book.knows(version) else text
        book.note(position, 0, Activation(version=version, cause=cause, actor="ada", reason="r", text=kept))
    return book


FILE, VERB, BACK = Cause.SETTINGS, Cause.ACTIVATE, Cause.ROLLBACK


def active(book: PolicyBook) -> str:
    """The text in force."""
    return book.text(book.active or "")


def test_newest_activation_is_in_force() -> None:
    """What was activated last is in force; every text stays, each once."""
    book = book_of(("a", FILE), ("b", VERB), ("a", VERB))
    assert active(book) == "a"
    assert [book.text(version) for version in book.versions] == ["a", "b"]
    assert book.positions == (1, 2, 3)


def test_rollback_takes_back_what_stands() -> None:
    """Each rollback takes one more change back; at the first there is nothing left to take back."""
    history = [("a", FILE), ("b", VERB), ("c", VERB), ("b", BACK)]
    book = book_of(*history)
    assert (active(book), book.text(book.before())) == ("b", "a")
    book = book_of(*history, ("a", BACK))
    assert active(book) == "a"
    with pytest.raises(BadRequest, match="no earlier policy"):
        book.before()


def test_version_is_found_by_its_beginning() -> None:
    """Four letters of a version's name will do, where they name one only."""
    book = book_of(("a", FILE), ("b", VERB))
    assert book.text(version_of("b")[:4]) == "b"
    for name in ("", "abc", "ffff"):
        with pytest.raises(NotFound, match="no version"):
            book.find(name)


@pytest.mark.parametrize(
    ("history", "text", "is_shipped", "speaks"),
    [
        ([], "a", True, True),
        ([("a", FILE)], "a", False, False),
        ([("a", FILE)], "b", False, True),
        ([("a", FILE), ("b", VERB)], "a", False, False),
        ([("a", FILE), ("b", VERB)], "c", False, True),
        ([("a", FILE), ("b", FILE)], "a", False, True),
        ([("a", FILE), ("b", FILE), ("a", BACK)], "b", False, False),
        ([("a", FILE), ("b", VERB), ("b", FILE), ("c", VERB)], "b", False, False),
        ([("a", FILE)], "b", True, True),
        ([("a", FILE), ("b", VERB)], "c", True, False),
        ([("a", FILE), ("b", VERB), ("a", BACK)], "c", True, True),
    ],
)
def test_settings_speak_when_they_change(
    history: list[tuple[str, Cause]], text: str, is_shipped: bool, speaks: bool
) -> None:
    """A file is activated at a start when it changed since the settings spoke last; what ships gives way to any choice
    of an operator."""
    assert book_of(*history).settings_speak(version_of(text), is_shipped=is_shipped) is speaks


def test_newest_versions_are_kept() -> None:
    """Features of the version in force and of those before it are kept up to date, each version once."""
    book = book_of(("a", FILE), ("b", VERB), ("c", VERB), ("b", BACK), ("d", VERB))
    kept = [book.text(version) for version in book.kept(version_of("d"))]
    assert kept == ["d", "b", "c"]
    assert len(kept) == MOST_KEPT


# what differs

RULE = """
- id: one
  title: One rule
  signal: one
  when: requests_1m > threshold.most
  reason: because
  weight: 0.5
  cases:
    - {name: over, given: {requests_1m: 9}, fires: true}
"""
HEAD = "thresholds: {most: 8}\nlists: {vips: ['user:1', 'user:2']}"
VIP = RULE.replace("one", "two") + "  source: x\n"


def differences(old: str, new: str) -> list[str]:
    """The lines between two texts."""
    return diff(read_document(old), read_document(new))


def test_equal_policies_do_not_differ() -> None:
    """Another layout, a comment, or a default that is said change nothing."""
    text = policy_text(RULE, head=HEAD)
    other = f"# a comment\n{text}".replace("    reason: because", "    mode: live\n    reason: because")
    assert differences(text, other) == []


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("most: 8", "most: 9", "threshold most: from 8 to 9"),
        ("'user:2']", "'user:3']", "list vips: user:2 removed; user:3 added"),
        ("weight: 0.5", "weight: 0.25", "rule one: weight: from 0.5 to 0.25"),
        ("when: requests_1m > threshold.most", "when: 'true'",
            "rule one: condition: from `requests_1m > threshold.most` to `true`"),
        ("    reason: because", "    mode: shadow\n    reason: because", "rule one: mode: from `live` to `shadow`"),
        ("name: over", "name: above", "rule one: cases: over removed; above added"),
        ("- id: one", "- id: two", "rule one: removed, One rule"),
        ("- id: one", "- id: two", "rule two: added, One rule"),
        ("window: 1m", "window: 2m", "feature requests_1m: window: from `1m` to `2m`"),
    ],
)  # fmt: skip
def test_difference_is_said_in_words(old: str, new: str, line: str) -> None:
    """Each difference is a line that says what changed, from what, to what."""
    text = policy_text(RULE, head=HEAD)
    assert line in differences(text, text.replace(old, new))


# files


def write(folder: Path, **files: str) -> Path:
    """A folder with these files."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


BASE = """
title: In parts
features:
  requests_1m: {entity: user, events: [request.classified], aggregate: count, window: 1m}
  spend_1h_microdollars: {entity: user, events: [request.cost_reported], aggregate: sum, value: event.cost, window: 1h}
"""


def test_folder_is_one_policy(tmp_path: Path) -> None:
    """The files of a folder make one policy, in the order of their names; sections are merged."""
    rules = "rules:\n" + RULE
    policy = load_policy(
        write(tmp_path, a_base=BASE, b_rules=f"thresholds: {{most: 8}}\n{rules}", c_more=rules.replace("one", "two"))
    )
    assert [rule.text.id for rule in policy.rules] == ["one", "two"]
    assert Policy(policy.text).version == policy.version


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("title: Twice", "b.yaml: title\na.yaml says it as well"),
        ("thresholds: {most: 1}\nrules: []", "c.yaml: thresholds.most\nb.yaml says it as well"),
        ("rules:\n" + RULE.replace("one", "two").replace("0.5", "7"), "c.yaml:8:11: rules[0].weight"),
        ("rules:\n" + RULE.replace("one", "two").replace("> thr", "> > thr"), "c.yaml:6:"),
        ("thresholds:\n  most_ever: 1\n  most_ever: 2", "c.yaml:3:3\nmost_ever is said twice"),
        ("- a", "c.yaml\nexpected sections such as rules"),
        ("a: [", "c.yaml:1:5\nnot YAML"),
    ],
)
def test_fault_is_placed_in_its_file(tmp_path: Path, more: str, told: str) -> None:
    """A fault in a folder is told with the file, the line and the place that its author sees."""
    name = "b" if more == "title: Twice" else "c"
    rules = f"thresholds: {{most: 8}}\nrules:\n{RULE}"
    files = {"a": BASE, "b": rules} | {name: more}
    with pytest.raises(PolicyError) as refused:
        load_policy(write(tmp_path, **files))
    assert refused.value.told().startswith(told)


def test_name_said_twice_is_refused(tmp_path: Path) -> None:
    """YAML would let the later of two thresholds win, unseen."""
    path = tmp_path / "policy.yaml"
    path.write_text(policy_text(RULE, head="thresholds:\n  most: 8\n  most: 9"))
    with pytest.raises(PolicyError, match="most is said twice"):
        load_policy(path)


def test_empty_folder_is_no_policy(tmp_path: Path) -> None:
    """A folder without a policy in it is refused."""
    with pytest.raises(PolicyError, match=r"holds no \*\.yaml"):
        load_policy(tmp_path)
