"""Accounts as the page shows them: a line each, and for some the reasons behind the verdict."""

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from abuse_lab.demo.sight import AccountSight, Sight
from abuse_service.decisions.decision import Decision, RuleOutcome, RuleState

VERDICT_STYLES = {"ALLOW": "green", "CHALLENGE": "yellow", "SOFT_BLOCK": "dark_orange", "HARD_BLOCK": "bold red"}
_SEVERITY = ("HARD_BLOCK", "SOFT_BLOCK", "CHALLENGE", "ALLOW")
_OCCASIONS = {"request.classified": "request", "account.judged": "sign-in"}
_MICRODOLLARS = 1_000_000


def account_table(sight: Sight) -> RenderableType:
    """Every account with its newest decision, the worst first, and below it what its owner did."""
    lines: list[RenderableType] = [_line("account", "verdict", "risk", "asked at", "USD", "signals", style="bold dim")]
    for seen in sorted(sight.accounts, key=_rank):
        said = _decided(seen, seen.decisions[0]) if seen.decisions else ("[dim]none[/]",)
        lines += [
            _line(f"[bold]{escape(seen.account.email)}[/]", *said),
            Padding(Text(_deeds(seen), "dim"), (0, 0, 0, 3)),
        ]
    return Padding(Group(*lines), (1, 0, 0, 0))


def _line(*cells: str, style: str = "") -> Table:
    # A table a line: what people did runs below it over the whole width, which no cell of one table can.
    table = Table.grid(padding=(0, 2, 0, 0), expand=True)
    table.add_column(width=1)
    for width, is_number in ((23, False), (10, False), (4, True), (8, False), (6, True)):
        table.add_column(width=width, justify="right" if is_number else "left", no_wrap=True)
    table.add_column(ratio=1)
    table.add_row("", *cells, style=style)
    return table


def reasons_panel(seen: AccountSight, title: str) -> RenderableType:
    """Why the newest decision on an account came out as it did."""
    if not seen.decisions:
        return Panel("no decision", title=f"{title}: {escape(seen.account.email)}", title_align="left")
    decision = seen.decisions[0]
    return Panel(
        Group(_outcome(decision), *_reasons(decision)),
        title=f"[bold]{title}[/], {escape(seen.account.email)}",
        title_align="left",
        subtitle=f"[dim]request {decision.request_id}, policy {decision.policy_version}[/]",
        subtitle_align="right",
        border_style="dim",
        padding=(0, 1),
    )


def _rank(seen: AccountSight) -> tuple[int, float]:
    if not seen.decisions:
        return len(_SEVERITY), 0.0
    return _SEVERITY.index(seen.decisions[0].verdict), -seen.decisions[0].risk_score


def _decided(seen: AccountSight, decision: Decision) -> tuple[str, ...]:
    return (
        _verdict(decision.verdict),
        f"{decision.risk_score:.2f}",
        _OCCASIONS.get(seen.decisions[0].event_type, seen.decisions[0].event_type),
        f"{seen.page.record.spend.cost_microdollars / _MICRODOLLARS:.4f}",
        "\n".join(decision.signals),
    )


def _deeds(seen: AccountSight) -> str:
    return "; ".join(dict.fromkeys(seen.account.deeds))


def _verdict(verdict: str) -> str:
    return f"[{VERDICT_STYLES[verdict]}]{verdict}[/]"


def _outcome(decision: Decision) -> str:
    told = [f"risk {decision.risk_score:.2f}"]
    told += [f"challenge {decision.challenge_type}"] if decision.challenge_type else []
    told += [f"action {decision.action}"] if decision.action else []
    told += [f"model {decision.model_override}"] if decision.model_override else []
    return f"{_verdict(decision.verdict)}, {', '.join(told)}"


def _reasons(decision: Decision) -> Iterator[RenderableType]:
    fired = {outcome.reason: outcome for outcome in decision.rules if outcome.state is RuleState.FIRED}
    for reason in decision.reasons:
        yield Text.assemble("• ", (reason, "bold"))
        if reason in fired:
            yield Padding(Text(_rule(fired[reason]), "dim"), (0, 0, 0, 2))
    if not fired:
        yield Padding(Text(f"looked at {_values(decision.values)}", "dim"), (0, 0, 0, 2))


def _rule(outcome: RuleOutcome) -> str:
    return f"rule {outcome.rule_id} (signal {outcome.signal}, weight {outcome.weight}) read {_values(outcome.values)}"


def _values(values: dict[str, Any]) -> str:
    """What was read, without what is false, empty or nothing."""
    told = {name: value for name, value in values.items() if value not in (None, False, "", 0)}
    return ", ".join(f"{name} = {_plain(value)}" for name, value in told.items()) or "nothing out of the ordinary"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value).lower() if isinstance(value, bool) else str(value)
