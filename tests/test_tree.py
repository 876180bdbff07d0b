"""Promises of the tree as a whole: names, places, the lock."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "dev.txt"

VAGUE_NAMES = {"util", "utils", "common", "helper", "helpers", "core", "misc"}

# Put together here, so that this file does not hold what it forbids.
FORBIDDEN_TEXT = [
    "/" + "work" + "/",
    "/" + "farm" + "/",
    "/tmp/" + "bash_jobs",
    "pypi" + ".org",
    "python" + "hosted.org",
    "npmjs" + ".org",
    "npmjs" + ".com",
    "debian" + ".org",
]


def tracked_files() -> list[Path]:
    """Every file that is, or would be, committed."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """The tree's files, listed once."""
    return tracked_files()


def test_names_say_what_they_hold(files: list[Path]) -> None:
    """No module or folder has a name under which anything could stand."""
    vague = [
        str(path.relative_to(ROOT))
        for path in files
        if VAGUE_NAMES & {Path(part).stem.lower() for part in path.relative_to(ROOT).parts}
    ]
    assert not vague, "name these by what they hold: " + ", ".join(vague)


def test_tree_names_no_registry_and_no_machine(files: list[Path]) -> None:
    """Where packages come from and where the tree lies is the machine's business, not the repository's."""
    found = []
    for path in files:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture or a font
        found += [
            f"{path.relative_to(ROOT)}:{number}: {forbidden}"
            for number, line in enumerate(text.splitlines(), start=1)
            for forbidden in FORBIDDEN_TEXT
            if forbidden in line
        ]
    assert not found, "\n" + "\n".join(found)


def test_packages_are_two_deep_at_most(files: list[Path]) -> None:
    """Under src/<package> a module lies at most two folders down."""
    deep = [
        str(path.relative_to(ROOT))
        for path in files
        if path.suffix == ".py"
        and len(path.relative_to(ROOT).parts) > 3
        and path.relative_to(ROOT).parts[1] == "src"
        and len(path.relative_to(ROOT).parts[3:-1]) > 2
    ]
    assert not deep, "flatten: " + ", ".join(deep)


def locked_requirements(lock: str) -> list[str]:
    """Each requirement of a lock with the lines that belong to it."""
    return re.findall(r"^[A-Za-z0-9][^\n]*(?:\n[ \t]+[^\n]*)*", lock, flags=re.MULTILINE)


def test_every_locked_package_has_a_hash() -> None:
    """The lock pins each package exactly, and by content."""
    requirements = locked_requirements(LOCK.read_text(encoding="utf-8"))
    assert len(requirements) > 20
    unpinned = [item.split()[0] for item in requirements if "==" not in item or "--hash=sha256:" not in item]
    assert not unpinned, "without pin or hash: " + ", ".join(unpinned)


def test_lock_names_no_index() -> None:
    """The lock says what to install, never from where."""
    lock = LOCK.read_text(encoding="utf-8")
    assert not re.findall(r"(?m)^\s*(?:-i|-f|--(?:extra-)?index-url|--find-links|--trusted-host).*$|\w+://.*$", lock)


@pytest.mark.parametrize("wing", ["client", "service", "cloud", "lab"])
def test_lock_covers_each_wing(wing: str) -> None:
    """A dependency added to a wing without `make lock` is noticed here, not on a newcomer's machine."""
    project = tomllib.loads((ROOT / wing / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    locked = {item.split("==")[0] for item in locked_requirements(LOCK.read_text(encoding="utf-8"))}
    ours = {"abuse-client", "abuse-service", "cloud", "abuse-lab"}
    wanted = {re.split(r"[^A-Za-z0-9._-]", item)[0].lower().replace("_", "-") for item in project["dependencies"]}
    assert wanted - ours - locked == set(), "run `make lock`"
