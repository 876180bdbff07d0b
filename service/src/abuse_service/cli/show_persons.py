"""A person as text: the page of an identity, a timeline, who was found, and who read what."""

from collections import Counter
from typing import Any

from rich.box import SIMPLE
from rich.markup import escape
from rich.table import Column, Table

from abuse_service.cli.show import compact, out, verdict

_NOTHING: tuple[Any, ...] = (None, {}, [], False, 0, "")
_MOST_CHARACTERS = 160
"""Of a section's line; ``--all`` shows the whole."""
_FEW_DECISIONS = 5
_IN_HEAD = frozenset({"is_blocked", "blocked_by_cloud", "restricted_by_service", "deleted_at", "is_paying"})


def show_identity(view: dict[str, Any], *, shows_all: bool) -> None:
    """An identity's page: who, what was decided and why, its blocks; then the record, section by section."""
    record, decisions = view["record"], view["decisions"]
    said = [f"[bold]{escape(view['identity_key'])}[/]", verdict(decisions[0]["verdict"] if decisions else None)]
    said += [escape(record["emails"][-1]["email"])] if record["emails"] else []
    said += ["paying"] if record["is_paying"] else []
    out.print("  ".join(said))
    out.print(f"seen {view['first_seen_at']} to {view['last_seen_at']}")
    for reason in view["reasons"]:
        out.print(f"  • {escape(reason)}")
    _show_blocks(record)
    for title, section in record.items():
        if section not in _NOTHING and (shows_all or title not in _IN_HEAD):
            out.print(f"[bold cyan]{title}[/]  {escape(_cut(compact(_said(section)), shows_all=shows_all))}")
    if shows_all:
        out.print(f"[bold cyan]features[/]  {escape(compact(view['features']))}")
    _show_links(view["links"], shows_all=shows_all)
    _show_decisions(decisions if shows_all else decisions[:_FEW_DECISIONS], len(decisions))


def show_timeline(page: dict[str, Any]) -> None:
    """Events, newest first, one a line. Bodies are left out: they are personal; ``--json`` shows them."""
    out.print(f"[bold]{escape(page['identity_key'])}[/]")
    for event in page["events"]:
        decided = event["decision"]
        told = f"{verdict(decided['verdict'])} {', '.join(decided['signals'])}" if decided else ""
        told = "joined by a Stripe id" if event["is_joined"] else told
        out.print(f"{event['position']:>8}  {event['occurred_at']}  {escape(event['type'][:48]):<42}{told}".rstrip())
    _show_next(page["next"])


def show_found(page: dict[str, Any]) -> None:
    """Identities, one a line."""
    if not page["identities"]:
        out.print("nobody fits" if page["next"] is None else "nobody fits so far")
    table = Table(Column("identity", no_wrap=True), "e-mail", "verdict", "blocked", "last seen", box=SIMPLE)
    for one in page["identities"]:
        blocked = "[red]blocked[/]" if one["is_blocked"] else ""
        cells = (escape(one["identity_key"]), escape(one["email"] or "-"))
        table.add_row(*cells, verdict(one["verdict"]), blocked, one["last_seen_at"])
    if page["identities"]:
        out.print(table)
    _show_next(page["next"])


def show_readings(page: dict[str, Any]) -> None:
    """Who read what, newest first."""
    if not page["readings"]:
        out.print("nobody read anything")
        return
    table = Table("at", "who", "what", Column("of whom", no_wrap=True), box=SIMPLE)
    for one in page["readings"]:
        entities = ", ".join(f"{entity['kind']} {entity['entity'][:14]}" for entity in one["entities"])
        table.add_row(one["at"], escape(one["actor"]), escape(one["route"]), escape(one["identity_key"] or entities))
    out.print(table)
    _show_next(page["next"])


def _show_blocks(record: dict[str, Any]) -> None:
    cloud, own = record["blocked_by_cloud"], record["restricted_by_service"]
    if cloud["is_blocked"]:
        who = f" by {cloud['actor_email']}" if cloud.get("actor_email") else ""
        why = f": {cloud['reason']}" if cloud.get("reason") else ""
        out.print(f"[red]blocked by the cloud[/] since {cloud['at']}{escape(who)}{escape(why)}")
    for entry in own["lists"]:
        until = f" until {entry['expires_at']}" if entry["expires_at"] else ""
        out.print(
            f"[yellow]in the list {escape(entry['list'])}[/] by its {entry['by']}{until}: {escape(entry['reason'])}"
        )
    if record["deleted_at"]:
        out.print(f"[yellow]deleted[/] {record['deleted_at']}")


def _show_links(links: list[dict[str, Any]], *, shows_all: bool) -> None:
    if not shows_all:
        counted = Counter(link["kind"] for link in links)
        if counted:
            out.print(f"[bold cyan]links[/]  {'  '.join(f'{kind}={count}' for kind, count in counted.items())}")
        return
    for link in links:
        kind = "strong" if link["is_strong"] else "weak"
        out.print(f"[dim]link[/] {link['kind']} {link['entity'][:14]} ({kind}) since {link['first_seen_at']}")


def _show_decisions(decisions: list[dict[str, Any]], count: int) -> None:
    if not decisions:
        return
    shown = "decisions" if len(decisions) == count else f"the newest of {count} decisions"
    table = Table(
        "request_id", "decided at", "verdict", "action", "signals", title=shown, title_justify="left", box=SIMPLE
    )
    for line in decisions:
        signals = ", ".join(line["signals"])
        table.add_row(
            str(line["request_id"]), line["decided_at"], verdict(line["verdict"]), line["action"] or "-", signals
        )
    out.print(table)
    out.print(f"why: abuse-service explain {decisions[0]['request_id']}")


def _show_next(cursor: str | None) -> None:
    if cursor is not None:
        out.print(f"[dim]more: --cursor {cursor}[/]")


def _said(section: Any) -> Any:
    """What a section says, without the fields that say nothing."""
    if isinstance(section, dict):
        told = {name: _said(value) for name, value in section.items()}
        return {name: value for name, value in told.items() if value not in _NOTHING}
    return section


def _cut(text: str, *, shows_all: bool) -> str:
    return text if shows_all or len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}… (--all)"
