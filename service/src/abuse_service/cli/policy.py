"""``abuse-service policy``: try, compare, explain and change the policy."""

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape
from rich.table import Table

from abuse_service.cli import show
from abuse_service.cli.backtest import shadow_report
from abuse_service.cli.desk import Desk
from abuse_service.cli.options import AsJson, Data, Reason, Url, open_desk
from abuse_service.policy.diff import diff
from abuse_service.policy.document import Document
from abuse_service.policy.policy import Policy, load_policy, read_document
from abuse_service.policy.source import read_source

app = typer.Typer(no_args_is_help=True, help="The policy: try it, compare it, explain it, change it while it runs.")

shadow_app = typer.Typer(no_args_is_help=True, help="Rules that are recorded and do nothing: what they would do.")
shadow_app.command("report")(shadow_report)
app.add_typer(shadow_app, name="shadow")

Draft = Annotated[Path, typer.Argument(metavar="PATH", help="Policy: a file, or a folder of *.yaml.")]
Side = Annotated[str, typer.Argument(metavar="POLICY", help="A file, a folder, or a version of the service.")]


@app.command()
def check(path: Draft, as_json: AsJson = False) -> None:
    """Check a policy (types, laws and cases) without a service."""
    policy = load_policy(path)
    counts = {"features": len(policy.document.features), "rules": len(policy.every)}
    counts["cases"] = sum(len(rule.text.cases) for rule in policy.every)
    if as_json:
        show.show_json({"version": policy.version, "counts": counts})
        return
    show.out.print(f"ok  version {policy.version}: {', '.join(f'{count} {name}' for name, count in counts.items())}")


@app.command("test")
def run_cases(
    path: Annotated[Path | None, typer.Argument(help="Policy; without it the one in force.")] = None,
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Run all cases of all rules. Status 1 where one comes out otherwise."""
    if path is not None:
        source = read_source(path)
        policy = Policy(source.text, source=source, must_pass=False)
    else:
        policy = Policy(_text_of(open_desk(data, url), ""), must_pass=False)
    rows = [
        {"rule": one.rule_id, "case": one.case.name, "expected": _word(one.case.fires), "found": _word(one.fired)}
        for one in policy.try_cases()
    ]
    failed = sum(row["expected"] != row["found"] for row in rows)
    if as_json:
        show.show_json({"version": policy.version, "cases": rows, "failed": failed})
    else:
        table = Table("rule", "case", "expected", "found")
        for row in rows:
            style = None if row["expected"] == row["found"] else "bold red"
            table.add_row(*(escape(value) for value in row.values()), style=style)
        show.out.print(table)
        show.out.print(f"{len(rows)} cases, {failed} failed")
    raise typer.Exit(1 if failed else 0)


@app.command("show")
def show_policy(
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
    as_text: Annotated[bool, typer.Option("--text", help="The policy itself, to be written to a file.")] = False,
) -> None:
    """Show the policy in force: its rules, those that the guard dropped to shadow, and what its features know."""
    desk = open_desk(data, url)
    if as_text:
        typer.echo(_text_of(desk, ""), nl=False)
        return
    view = desk.get("policy")
    show.show_json(view) if as_json else show.show_policy(view)


@app.command("diff")
def show_diff(
    old: Side,
    new: Annotated[str | None, typer.Argument(metavar="POLICY", help="Another; without it, OLD against force.")] = None,
    data: Data = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say in words what differs between two policies, or between the one in force and another."""
    first, second = ("", old) if new is None else (old, new)
    lines = diff(*(_document(side, data, url) for side in (first, second)))
    if as_json:
        show.show_json({"lines": lines})
        return
    for line in lines or ["both mean the same"]:
        show.out.print(escape(line))


@app.command()
def activate(policy: Side, reason: Reason, data: Data = None, url: Url = None, as_json: AsJson = False) -> None:
    """Put a policy in force, from the next request on. A bad one is refused, and the one in force goes on."""
    wish: dict[str, Any] = {"reason": reason}
    if Path(policy).exists():
        wish["text"] = load_policy(Path(policy)).text
    else:
        wish["version"] = policy
    _change("activate", wish, data, url, as_json)


@app.command()
def rollback(reason: Reason, data: Data = None, url: Url = None, as_json: AsJson = False) -> None:
    """Take the newest change of the policy back that still stands."""
    _change("rollback", {"reason": reason}, data, url, as_json)


@app.command()
def history(data: Data = None, url: Url = None, as_json: AsJson = False) -> None:
    """List the changes of the policy, the newest first."""
    rows = open_desk(data, url).get("policy/history")["history"]
    if as_json:
        show.show_json(rows)
        return
    table = Table("at", "version", "cause", "actor", "reason", "position")
    for row in rows:
        cells = (row["at"], row["version"], row["cause"], row["actor"], row["reason"], str(row["position"]))
        table.add_row(*map(escape, cells))
    show.out.print(table)


@app.command()
def release(rule_id: str, reason: Reason, data: Data = None, url: Url = None) -> None:
    """Let a rule act again that hit many paying accounts and dropped to shadow."""
    body = json.dumps({"reason": reason}).encode()
    answer = open_desk(data, url).post(f"rules/{quote(rule_id, safe='')}/release", body)
    show.out.print(f"{answer['rule_id']} is {answer['state']}")


@app.command()
def why(rule: str, data: Data = None, url: Url = None, as_json: AsJson = False) -> None:
    """Explain a rule: its claim, whether the guard stopped it, what it reads, its cases, and when it had a say."""
    view = open_desk(data, url).get(f"policy/why/{quote(rule, safe='')}")
    if as_json:
        show.show_json(view)
        return
    show.out.print(f"[bold]{escape(view['id'])}[/]  {escape(view['title'])}")
    runs = f"guarded (the policy says {view['mode']})" if view["guarded"] else view["mode"]
    show.out.print(
        f"{runs}, {view['evidence']} evidence, weight {view['weight']}: {view['verdict']} → {view['signal']}"
    )
    if view["guarded"]:
        show.show_guarded(view["guarded"])
    show.out.print(f"[bold cyan]when[/]  {escape(view['when'].strip())}")
    show.out.print(f"[bold cyan]says[/]  {escape(view['reason'])}")
    for title in ("source", "triage"):
        if view.get(title):
            show.out.print(f"[bold cyan]{title}[/]  {escape(view[title])}")
    for name, value in view["constants"].items():
        show.out.print(f"[dim]{escape(name)}[/] = {escape(str(value))}")
    for name, meaning in view["facts"].items():
        show.out.print(f"[dim]{escape(name)}[/]  {escape(meaning)}")
    for name, said in view["features"].items():
        complete = "" if said["is_complete"] else f", being filled, {said['share_filled']:.0%}"
        show.out.print(f"[dim]{escape(name)}[/]  {escape(said['title'] or said['aggregate'])}{complete}")
    for case in view["cases"]:
        show.out.print(f"[dim]case[/] {escape(case['name'])}: {_word(case['fired'])}  {escape(str(case['given']))}")
    for hit in view["hits"]:
        show.out.print(f"{hit['decided_at']}  {hit['state']}  {escape(hit['identity_key'])}  {escape(hit['reason'])}")


def _change(verb: str, wish: dict[str, Any], data: Path | None, url: str | None, as_json: bool) -> None:
    view = open_desk(data, url).post(f"policy/{verb}", json.dumps(wish).encode())
    if as_json:
        show.show_json(view)
        return
    if not view["is_changed"]:
        show.out.print(f"version {view['version']} is in force already")
        return
    filling = sorted(name for name, said in view["features"].items() if not said["is_complete"])
    show.out.print(f"version {view['version']} is in force, before it was {view['before']}")
    if filling:
        show.out.print(f"being filled from the log, until then their rules abstain: {escape(', '.join(filling))}")


def _document(side: str, data: Path | None, url: str | None) -> Document:
    """The policy that a file, a folder, or a version names; the one in force without a name."""
    if side and Path(side).exists():
        return read_document(read_source(Path(side)).text)
    return read_document(_text_of(open_desk(data, url), side))


def _text_of(desk: Desk, version: str) -> str:
    name = version or desk.get("policy")["version"]
    text: str = desk.get(f"policy/versions/{quote(name, safe='')}")["text"]
    return text


def _word(fired: bool) -> str:
    return "fires" if fired else "silent"
