"""``abuse-service backtest``: what a policy would have done, before it does it."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.markup import escape
from rich.table import Table

from abuse_service import backtests
from abuse_service.cel.program import Kind
from abuse_service.cel.vocabulary import Expression, Vocabulary
from abuse_service.cli import show
from abuse_service.cli.options import AsJson, Data, read_settings
from abuse_service.cli.past import progress_bar
from abuse_service.console_api.instants import iso
from abuse_service.errors import ServiceError
from abuse_service.policy.document import Mode
from abuse_service.policy.policy import Policy, load_policy
from abuse_service.policy.variations import let_act, vary
from abuse_service.replay.findings import Findings, Found, Share
from abuse_service.settings import Settings
from abuse_service.telemetry import configure_logging
from abuse_service.wiring import open_past

Workers = Annotated[int | None, typer.Option(min=1, max=64, help="Processes; without it one a core.")]
_MOST_ROWS = 12


def backtest(
    policy: Annotated[Path, typer.Argument(metavar="POLICY", help="The candidate: a file, or a folder of *.yaml.")],
    data: Data = None,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="Count decisions from then on.")] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="Count decisions before then.")] = None,
    against: Annotated[
        str | None, typer.Option(help="A version to hold it against; without it the one in force.")
    ] = None,
    variations: Annotated[
        list[str] | None,
        typer.Option("--vary", metavar="THRESHOLD=A,B,…", help="Try these values; more than one: a grid."),
    ] = None,
    fail_if: Annotated[
        str | None, typer.Option(help="Status 1 where this holds for the candidate: 'honest_hurt > 0.001'.")
    ] = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """Play the log through a policy beside the one in force, with every value as it was at each instant.

    Times are of decisions; ISO 8601. The service may run meanwhile.
    """
    settings = read_settings(data=data)
    condition = _condition(fail_if)
    candidate = load_policy(policy)
    times = (_instant("--from", since) if since else 0, _instant("--to", until) if until else 2**62)
    findings = _play(settings, _contenders(settings, candidate, against, variations or []), times, workers)
    show.show_json(msgspec.to_builtins(findings)) if as_json else show_findings(findings)
    failed = [one.name for one in findings.policies[1:] if condition and condition.holds(one.figures()) is True]
    if failed:
        raise ServiceError(f"{fail_if} holds for {', '.join(failed)}")


def shadow_report(data: Data = None, workers: Workers = None, as_json: AsJson = False) -> None:
    """Show what the rules in shadow would have done since the policy in force was put there.

    Each by itself, and all of them together, held against the policy as it is.
    """
    settings = read_settings(data=data)
    with open_past(settings) as past:
        entry = next(entry for entry in reversed(past.book.history) if entry.version == past.book.active)
        base = past.policy(entry.version)
    resting = [rule.text.id for rule in base.rules if rule.text.mode is Mode.SHADOW]
    if not resting:
        raise ServiceError("the policy in force has no rule in shadow")
    named = [("in force", base), *((rule_id, let_act(base, [rule_id])) for rule_id in resting)]
    if len(resting) > 1:
        named.append(("all of them", let_act(base, resting)))
    findings = _play(settings, named, (entry.at_ms, 2**62), workers)
    show.show_json(msgspec.to_builtins(findings)) if as_json else show_findings(findings)


Contenders = list[tuple[str, Policy]]
"""Names and policies, the one that the others are held against first."""


def _play(settings: Settings, named: Contenders, times: tuple[int, int], workers: int | None) -> Findings:
    configure_logging("text", logging.WARNING)
    names, policies = [name for name, _ in named], [policy for _, policy in named]
    with open_past(settings) as past:
        last_position = past.log.find_last_position()
    since_ms, until_ms = times
    made = backtests.plan(
        last_position, workers or backtests.default_workers(), len(named), since_ms=since_ms, until_ms=until_ms
    )
    with progress_bar("playing the log", made.steps) as progress:
        return backtests.run(settings, policies, names, made, progress)


def _contenders(settings: Settings, candidate: Policy, against: str | None, variations: list[str]) -> Contenders:
    with open_past(settings) as past:
        version = past.book.find(against) if against else past.book.active
        if version is None:
            raise ServiceError("no policy was ever in force in this log")
        base = past.policy(version)
    name = "in force" if against is None else version
    tried = vary(candidate, dict(map(_variation, variations))) if variations else [("candidate", candidate)]
    return [(name, base), *tried]


def _variation(said: str) -> tuple[str, list[float]]:
    name, _, values = said.partition("=")
    try:
        return name, [float(value) if "." in value else int(value) for value in values.split(",")]
    except ValueError:
        raise ServiceError(f"expected THRESHOLD=A,B,… with numbers, found {said!r}", path="--vary") from None


def _instant(option: str, said: str) -> int:
    try:
        instant = datetime.fromisoformat(said)
    except ValueError:
        raise ServiceError(f"expected an instant such as 2026-11-01T12:00:00Z, found {said!r}", path=option) from None
    return int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp() * 1000)


def _condition(text: str | None) -> Expression | None:
    names = ("precision", "recall", "honest_hurt", "paying_hurt", "spend_prevented", "hit", "changed")
    kinds = dict.fromkeys((*names, "newly_hit", "newly_spared"), Kind.DOUBLE)
    return Vocabulary(kinds).compile(text, "--fail-if") if text else None


def show_findings(findings: Findings) -> None:
    """The findings as tables: the policies side by side, then what is otherwise about each."""
    out = show.out
    out.print(f"{findings.events:,} events, {findings.decisions:,} decisions on {findings.accounts:,} accounts")
    told = ", ".join(f"{count:,} {label}" for label, count in findings.labels.items()) or "none"
    out.print(f"labelled later: {told}; known before: {findings.known_before:,}; unclear: {findings.unclear:,}")
    table = Table("", *(escape(found.name) for found in findings.policies))
    for title, read in _LINES:
        table.add_row(title, *(read(found) for found in findings.policies))
    out.print(table)
    for found in findings.policies[1:]:
        _show_differences(found)


def _show_differences(found: Found) -> None:
    out = show.out
    out.print(f"[bold]{escape(found.name)}[/]  {found.version}  {escape(found.title)}")
    for change in found.changes:
        out.print(f"  {change.before} → {change.after}: {change.decisions:,} decisions")
        for example in change.examples[:2]:
            reasons = "; ".join(example.reasons_after)
            out.print(
                f"    request {example.request_id}  {escape(example.identity_key)}  {iso(example.decided_at_ms)}  "
                f"{escape(reasons)}"
            )
    for title, accounts in (("newly hit", found.newly_hit_accounts), ("newly spared", found.newly_spared_accounts)):
        for account in accounts[:_MOST_ROWS]:
            marks = [str(account.label)] if account.label else []
            marks += ["paying"] if account.is_paying else []
            said = f"  ({', '.join(marks)})" if marks else ""
            out.print(f"  {title}: {escape(account.identity_key)}{said}  {escape(account.why)}")
    table = Table("decisions", "alone", "accounts", "alone", "labelled", "rule", "mostly with")
    for rule in found.rules[:_MOST_ROWS]:
        shared = next(iter(rule.overlaps), "")
        row = (rule.decisions, rule.decisions_alone, rule.accounts, rule.accounts_alone, rule.abusive_accounts)
        table.add_row(*(f"{number:,}" for number in row), rule.rule_id, shared)
    out.print(table)


def _told(share: Share) -> str:
    if share.value is None or share.low is None or share.high is None:
        return "-"
    return f"{share.value:.3f} ({share.low:.3f}-{share.high:.3f})  {share.count:,} of {share.of:,}"


_LINES: tuple[tuple[str, Callable[[Found], str]], ...] = (
    ("verdicts", lambda found: ", ".join(f"{count:,} {verdict}" for verdict, count in found.verdicts.items())),
    ("accounts hit", lambda found: f"{found.hit:,}"),
    ("newly hit, spared", lambda found: f"{found.newly_hit:,}, {found.newly_spared:,}"),
    ("decisions changed", lambda found: f"{found.changed:,}"),
    ("precision", lambda found: _told(found.precision)),
    ("recall", lambda found: _told(found.recall)),
    ("honest hurt", lambda found: _told(found.honest_hurt)),
    ("paying hurt", lambda found: _told(found.paying_hurt)),
    ("spend prevented", lambda found: "-" if found.spend_prevented is None else f"{found.spend_prevented:.1%}"),
    ("honest spend refused", lambda found: f"{found.honest_refused_microdollars / 1e6:,.2f} USD"),
)
