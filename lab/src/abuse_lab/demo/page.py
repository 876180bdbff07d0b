"""The demonstration's page, a hundred columns wide: what arrived, who is who, and why."""

from pathlib import Path

from rich import box
from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from abuse_client.contract import EVENT_CLASSES
from abuse_lab.demo.portraits import account_table, reasons_panel
from abuse_lab.demo.sight import Sight
from cloud.running import RunningCloud

SHOWN_ROLES = {
    "blocked": "The blocked account",
    "same_device": "A new account on the blocked one's device",
    "drained": "A drained free tier",
    "honest": "An honest customer",
}


def render(sight: Sight) -> Group:
    """The whole page."""
    return Group(
        _heading("What the service received"),
        _types(sight),
        *_tally(sight),
        _heading("What it says of each account"),
        account_table(sight),
        _heading("Why"),
        *(reasons_panel(sight.account(role), title) for role, title in SHOWN_ROLES.items()),
    )


def addresses(cloud: RunningCloud, sight: Sight) -> Group:
    """Where to look on in a browser, and what to try there."""
    blocked, honest = sight.account("blocked").account, sight.account("honest").account
    places = (
        ("/sign-in", f"sign in as {cloud.admin_email}, the administrator; the letter is shown, no mail is sent"),
        ("/backoffice", "as the administrator: find anybody, block, unblock, grant, refund, read the log"),
        (f"/backoffice/users/{blocked.kilo_user_id}", "the blocked account: lift its block, and ask the service again"),
        ("/playground", f"as anybody, {honest.email} for one: ask the gateway and see what it says"),
        ("/v1", "the gateway for OpenAI's and Anthropic's clients; a key for them is made on the page Keys"),
    )
    lines = [Text.assemble((f"# {what}\n", "dim"), f"{cloud.url}{path}") for path, what in places]
    return Group(
        _heading("Look on in a browser"),
        *lines,
        Text("# what is bought is paid on this machine's Stripe, with the card 4242 4242 4242 4242", "dim"),
    )


def commands(sight: Sight, executable: Path, data: Path) -> Group:
    """Three commands that show the same from the outside."""
    back, blocked = sight.account("same_device"), sight.account("blocked")
    tries = (
        (f"identity {blocked.page.identity_key}", "all that is known of the blocked account"),
        (f"explain {back.line.request_id}", "why the one on its device was challenged, with every value read"),
        ("tail", "the newest events of the log"),
    )
    lines = [Text.assemble((f"# {what}\n", "dim"), f"{executable} {verb} --data {data}") for verb, what in tries]
    return Group(_heading("Try it from another terminal"), *lines)


def _heading(text: str) -> RenderableType:
    return Padding(Rule(f"[bold]{text}", align="left", style="dim"), (1, 0, 0, 0))


def _types(sight: Sight) -> RenderableType:
    stripe = [kind for kind in EVENT_CLASSES if kind.startswith("stripe.")]
    others = [kind for kind in EVENT_CLASSES if kind not in stripe]
    return Columns([_type_table(sight, others), _type_table(sight, stripe)], padding=(0, 2))


def _type_table(sight: Sight, kinds: list[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    table.add_column("event", no_wrap=True)
    table.add_column("received", justify="right", no_wrap=True)
    for kind in kinds:
        number = sight.received.get(kind, 0)
        table.add_row(kind, f"[green]{number}[/]" if number else "[bold red]none[/]")
    return table


def _tally(sight: Sight) -> list[Text]:
    received = sight.received
    found = sum(1 for kind in EVENT_CLASSES if received.get(kind))
    style = "bold green" if found == len(EVENT_CLASSES) else "bold red"
    others = (
        counted(received.get("auth.signup", 0), "sign-up"),
        counted(received.get("auth.signin", 0), "sign-in"),
        counted(received.get("request.classified", 0), "LLM request"),
        counted(received.get("request.cost_reported", 0), "cost report"),
    )
    return [
        Text.assemble(" ", (f"{found}/{len(EVENT_CLASSES)} types", style), " and ", ", ".join(others)),
        _unknown_line(sight),
    ]


def _unknown_line(sight: Sight) -> Text:
    answer, kept = sight.unknown.answer, sight.unknown.kept
    if kept is None:
        return Text(f" an event of an unknown type was answered by {dict(answer)} and is not in the log", "bold red")
    return Text.assemble(
        f" {answer.get('accepted', 0)} event of a type that nobody knows, ",
        (kept.type, "cyan"),
        f", accepted and kept at position {kept.position} of the log",
    )


def counted(number: int, what: str) -> str:
    """A number of things."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
