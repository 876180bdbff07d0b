"""Answers as text for people."""

import json
import re
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Signs that a terminal obeys, and those that turn the direction of writing."""


class Screen(Console):
    """A terminal that shows what senders wrote and is never steered by it."""

    def render_str(self, text: str, **said: Any) -> Text:
        """The text, each sign that would steer as U+FFFD; styles come as markup."""
        return super().render_str(_STEERING.sub("\ufffd", text), **said)


out = Screen(soft_wrap=True)

VERDICT_STYLES = {"ALLOW": "green", "CHALLENGE": "yellow", "SOFT_BLOCK": "dark_orange", "HARD_BLOCK": "bold red"}


def show_json(answer: Any) -> None:
    """The whole answer, for programs."""
    print(json.dumps(answer, ensure_ascii=False))


def show_decision(view: dict[str, Any]) -> None:
    """A decision: the verdict, the reasons in sentences, each rule with the values it read."""
    out.print(
        f"[bold]{escape(view['identity_key'])}[/]  {verdict(view['verdict'])}  "
        f"risk {view['risk_score']:.2f}  at {view['decided_at']}"
    )
    out.print(f"request {view['request_id']}, policy {view['policy_version']}, log position {view['position']}")
    if view.get("would_be"):
        out.print(f"[yellow]not enforced[/]: the rules said {view['would_be']}")
    for reason in view["reasons"]:
        out.print(f"  • {escape(reason)}")
    for rule in view.get("rules", ()):
        state = rule["state"]
        style = {"fired": "bold", "shadow": "dim", "guarded": "dim", "abstained": "yellow"}[state]
        share = f", {rule['share']:+.2f} of the risk" if rule.get("share") else ""
        evidence = rule.get("evidence", "weak")
        out.print(
            f"[{style}]{state}[/] {rule['rule_id']} → {rule['signal']} ({evidence}, weight {rule['weight']}{share})"
        )
        if rule.get("why_abstained"):
            out.print(f"    because {escape(rule['why_abstained'])}")
        out.print(f"    {escape(compact(rule.get('values', {})))}")
    for trust in view.get("trust", ()):
        out.print(f"[green]trust[/] {trust['trust_id']}: {escape(trust['title'])} ({trust.get('share', 0.0):+.2f})")
    if view.get("degraded"):
        out.print(f"[yellow]decided without[/] {escape(', '.join(view['degraded']))}: these parts failed")
    for entry in view.get("listed", ()):
        out.print(f"[bold]in the list {entry['list']}[/] by its {entry['kind']}: {escape(entry['reason'])}")
    if view.get("cluster"):
        out.print(f"linked accounts counted: {len(view['cluster'])}")


def show_events(events: list[dict[str, Any]]) -> None:
    """Events, one a line. Bodies are left out: they are personal; ``--json`` shows them."""
    for event in events:
        out.print(
            f"{event['position']:>8}  {event['occurred_at']}  {escape(event['type'][:48]):<42}"
            f"{escape(event['identity_key'] or ('waits for its owner' if event['joins'] else '-'))}"
        )


def show_rejected(rows: list[dict[str, Any]]) -> None:
    """Rejected events with their reasons."""
    if not rows:
        out.print("nothing is in quarantine")
        return
    table = Table("id", "received at", "source", "path", "message")
    for row in rows:
        table.add_row(str(row["rejected_id"]), row["received_at"], row["source"], row["path"], escape(row["message"]))
    out.print(table)
    out.print("mend and drive again: abuse-service rejected retry ID --body FILE")


def show_policy(view: dict[str, Any]) -> None:
    """The policy: its rules, which of them wait for a person, and how far its features know the past."""
    guarded = {rule["rule_id"]: rule for rule in view["guarded"]}
    out.print(f"[bold]{escape(view['title'])}[/]  version {view['version']}")
    if since := view["since"]:
        out.print(f"since {since['at']}, by {escape(since['actor'])}: {escape(since['reason'])}")
    if not view["is_enforced"]:
        out.print("[yellow]enforcement is off[/]: every verdict is ALLOW")
    # Ids are what other verbs take, so they stand whole; what a rule claims is told by ``policy why``.
    table = Table(Column("rule", no_wrap=True), "runs", "evidence", "weight", "verdict", "action", box=SIMPLE)
    for rule in view["rules"]:
        runs = "guarded" if rule["id"] in guarded else rule["mode"]
        cells = (rule["id"], runs, rule["evidence"], str(rule["weight"]), rule["verdict"])
        table.add_row(*map(escape, cells), rule["action"] or "-")
    out.print(table)
    table = Table(Column("feature", no_wrap=True), "entity", "aggregate", "window", "complete", box=SIMPLE)
    for name, said in view["features"].items():
        complete = f"being filled, {said['share_filled']:.0%}"
        if said["is_complete"]:
            complete = f"since {said['complete_since']}" if said["complete_since"] else "yes"
        table.add_row(escape(name), said["entity"], said["aggregate"], said["window"], complete)
    out.print(table)
    for rule in guarded.values():
        show_guarded(rule)


def show_guarded(rule: dict[str, Any]) -> None:
    """A rule that the guard stopped: since when, why, and what lets it act again."""
    rule_id = escape(rule["rule_id"])
    out.print(
        f"[yellow]{rule_id} runs in shadow[/] since {rule['guarded_at']}: it hit {rule['paying_accounts']} paying "
        f"accounts within {rule['window']}, under policy {rule['policy_version']}; "
        f"abuse-service policy release {rule_id} --reason … lets it act again"
    )


def show_rows(rows: list[dict[str, Any]]) -> None:
    """Rows of one shape as a table."""
    if not rows:
        out.print("nothing is in it")
        return
    table = Table(*(name.replace("_", " ") for name in rows[0]))
    for row in rows:
        table.add_row(*("-" if value is None else escape(str(value)) for value in row.values()))
    out.print(table)


def verdict(said: str | None) -> str:
    """A verdict in its colour."""
    return f"[{VERDICT_STYLES[said]}]{said}[/]" if said else "[dim]no decision yet[/]"


def compact(section: Any) -> str:
    """A section in one line, what says nothing left out."""
    if isinstance(section, dict):
        return "  ".join(f"{name}={compact(value)}" for name, value in section.items() if value not in (None, {}, []))
    return json.dumps(section, ensure_ascii=False) if isinstance(section, list) else str(section)
