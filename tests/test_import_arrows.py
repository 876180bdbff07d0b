"""The arrows of the architecture, as data: which wing and which room may import which.

Pure reading: sources are parsed, never imported, so an import that only type checkers see counts too.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

# wing → the prefixes of ours that it may import besides itself
WINGS: dict[str, frozenset[str]] = {
    "abuse_client": frozenset(),
    "abuse_service": frozenset({"abuse_client.contract"}),
    "cloud": frozenset({"abuse_client"}),
    "abuse_lab": frozenset({"abuse_client", "abuse_service", "cloud"}),
}
FOLDERS = {"abuse_client": "client", "abuse_service": "service", "cloud": "cloud", "abuse_lab": "lab"}

# Leaves know no room and every room may know them. Among themselves: errors ← settings ← telemetry.
LEAVES = frozenset({"errors", "settings", "telemetry"})
INNER = frozenset({"events", "identities", "enrichment", "cel", "features", "policy", "decisions", "intake", "replay"})

# room of the service → the rooms that it may import besides itself and the leaves
ROOMS: dict[str, frozenset[str]] = {
    "events": frozenset(),
    "enrichment": frozenset(),
    "identities": frozenset({"events"}),
    "cel": frozenset(),
    "features": frozenset({"events", "identities", "cel"}),
    "policy": frozenset({"features", "cel", "enrichment", "events"}),
    "decisions": frozenset({"cel", "policy", "features", "identities", "events", "enrichment"}),
    "intake": frozenset({"events", "enrichment"}),
    "replay": frozenset({"decisions", "policy", "features", "identities", "events", "intake"}),
    "storage": INNER,  # it implements the protocols that stand beside their consumers
    "deciding": INNER,  # the steps of a decision, part of the flow
    "flow": INNER
    | {"deciding"},  # the life of an event, step by step: the only module that knows the order of the rooms
    "console_api": INNER | {"flow", "versions"},
    "api": INNER | {"flow", "console_api"},
    "cli": INNER | {"flow", "api", "console_api", "wiring", "backtests"},
    "backtests": INNER | {"wiring"},  # processes that play the log, each over a past of its own
    "versions": INNER,  # the policy in force: chosen at the start, changed between two requests
    "wiring": INNER | {"flow", "versions", "storage", "api", "console_api"},
    "testing": INNER | {"storage", "api", "console_api", "wiring"},
    "__main__": frozenset({"cli"}),
    "": frozenset(),  # abuse_service/__init__.py
    "errors": frozenset(),
    "settings": frozenset(),
    "telemetry": frozenset(),
}
LEAF_MAY_IMPORT = {
    "errors": frozenset[str](),
    "settings": frozenset({"errors"}),
    "telemetry": frozenset({"errors", "settings"}),
}

# The one module of a closed room that builds the application, and so may ask wiring for its parts.
ENTRYPOINTS = frozenset({"abuse_service.api.app"})

# Pure rooms: time comes in with the event, and everything else through a protocol.
PURE = frozenset({"identities", "cel", "features", "policy", "decisions"})
IMPURE_MODULES = frozenset(
    {"aiosqlite", "fastapi", "http", "httpx", "requests", "socket", "sqlalchemy", "sqlite3", "starlette", "time"}
    | {"urllib.request", "uvicorn"}
)
SQL_MODULES = frozenset({"aiosqlite", "alembic", "psycopg", "sqlalchemy", "sqlite3"})


@dataclass(frozen=True, kw_only=True)
class Import:
    """One imported module, with the line that imports it."""

    target: str
    line: int


def imports_of(source: str, module: str, *, is_package: bool = False) -> Iterator[Import]:
    """Every module that a source imports, by absolute name; `from a import b` names `a.b`."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(target=alias.name, line=node.lineno)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield Import(target=f"{origin}.{alias.name}", line=node.lineno)


def is_under(target: str, prefix: str) -> bool:
    """True for the prefix itself and for what stands below it."""
    return target == prefix or target.startswith(prefix + ".")


def room_of(module: str) -> str:
    """The first name below `abuse_service`, empty for the package itself."""
    return module.split(".")[1] if "." in module else ""


def why_wing_forbids(module: str, target: str) -> str | None:
    """The reason why a wing may not import a target, or nothing."""
    wing, other = module.split(".")[0], target.split(".")[0]
    if other not in WINGS or other == wing or any(is_under(target, prefix) for prefix in WINGS[wing]):
        return None
    allowed = ", ".join(sorted(WINGS[wing])) or "nothing of ours"
    return f"{wing} may import {allowed}"


def why_room_forbids(module: str, target: str) -> str | None:
    """The reason why a room of the service may not import a target, or nothing."""
    if not is_under(module, "abuse_service"):
        return None
    room = room_of(module)
    if room not in ROOMS:
        return f"`{room}` is no room of the table in {Path(__file__).name}; give it a place or move the code"
    if any(is_under(target, name) for name in SQL_MODULES) and room not in {"storage", "testing"}:
        return "only storage speaks to a database; declare a protocol beside the consumer"
    if room in PURE and any(is_under(target, name) for name in IMPURE_MODULES):
        return f"{room} is pure: no HTTP, no SQL, no clock; time comes in with the event"
    if not is_under(target, "abuse_service"):
        return None
    other = room_of(target)
    if other not in ROOMS or other == room:
        return None  # `from abuse_service import __version__`, or the room itself
    if other == "wiring" and module in ENTRYPOINTS:
        return None
    allowed = LEAF_MAY_IMPORT[room] if room in LEAVES else ROOMS[room] | LEAVES
    if other in allowed:
        return None
    if other == "storage":
        return "only wiring picks implementations; import the protocol beside its consumer"
    return f"{room} may import {', '.join(sorted(allowed)) or 'no other room'}"


def violations(source: str, module: str, shown: str, *, is_package: bool = False) -> list[str]:
    """One line for each arrow that a source breaks: place, import, reason."""
    found = []
    for item in imports_of(source, module, is_package=is_package):
        reason = why_wing_forbids(module, item.target) or why_room_forbids(module, item.target)
        if reason:
            found.append(f"{shown}:{item.line}: {module} imports {item.target}; {reason}")
    return found


def sources(package: str) -> Iterator[tuple[Path, str, bool]]:
    """Each source of a wing with its module name, and whether it is a package."""
    base = ROOT / FOLDERS[package] / "src"
    for path in sorted((base / package).rglob("*.py")):
        parts = path.relative_to(base).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        yield path, ".".join(parts[:-1] if is_package else parts), is_package


@pytest.mark.parametrize("package", WINGS)
def test_arrows_hold(package: str) -> None:
    """Every import of a wing follows the table."""
    found = [
        line
        for path, module, is_package in sources(package)
        for line in violations(
            path.read_text(encoding="utf-8"), module, str(path.relative_to(ROOT)), is_package=is_package
        )
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize("package", WINGS)
def test_wing_has_sources(package: str) -> None:
    """A wing that moved away would pass unread."""
    assert list(sources(package))


def test_contract_stands_alone() -> None:
    """The contract imports nothing of the client, so that the service can use it without the client's transport."""
    found = [
        f"{path.relative_to(ROOT)}:{item.line}: {module} imports {item.target}"
        for path, module, is_package in sources("abuse_client")
        if is_under(module, "abuse_client.contract")
        for item in imports_of(path.read_text(encoding="utf-8"), module, is_package=is_package)
        if is_under(item.target, "abuse_client") and not is_under(item.target, "abuse_client.contract")
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("module", "source", "reason"),
    [
        ("abuse_client.transport", "import abuse_service.events", "abuse_client may import nothing of ours"),
        ("abuse_service.intake.batch", "from abuse_client import report_events", "abuse_client.contract"),
        ("cloud.signup", "from abuse_service.events import Event", "cloud may import abuse_client"),
        ("abuse_service.policy.rules", "from abuse_service.storage import sqlite", "only wiring picks"),
        ("abuse_service.events.log", "from ..features import window", "events may import errors"),
        ("abuse_service.decisions.decide", "if True:\n    from abuse_service import api", "decisions may import"),
        ("abuse_service.features.window", "import time", "features is pure"),
        ("abuse_service.api.routes", "import sqlite3", "only storage speaks to a database"),
        ("abuse_service.api.routes", "from abuse_service.wiring import build", "api may import"),
        ("abuse_service.misc.things", "import abuse_service.events", "no room of the table"),
        ("abuse_service.errors", "from abuse_service import settings", "no other room"),
    ],
)
def test_broken_arrow_is_reported(module: str, source: str, reason: str) -> None:
    """A bad import is reported once, with its place and the reason."""
    found = violations(source, module, "bad.py")
    assert len(found) == 1
    assert found[0].startswith(f"bad.py:{len(source.splitlines())}: {module} imports ")
    assert reason in found[0]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("abuse_service.intake.batch", "from abuse_client import contract"),
        ("abuse_service.intake.batch", "from abuse_client.contract import Event"),
        ("abuse_service.policy.rules", "from abuse_service.errors import PolicyError"),
        ("abuse_service.decisions.decide", "from abuse_service import policy, features"),
        ("abuse_service.storage.sqlite_log", "import sqlite3\nfrom abuse_service.events import EventLog"),
        ("abuse_service.wiring", "from abuse_service.storage import sqlite_log"),
        ("abuse_service.api.app", "from abuse_service.wiring import build"),
        ("abuse_lab.play", "import abuse_client, abuse_service.api, cloud.signup"),
    ],
)
def test_good_arrow_passes(module: str, source: str) -> None:
    """What the architecture permits is not reported."""
    assert violations(source, module, "good.py") == []
