"""``abuse-service cluster`` and ``link cut | restore``."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.markup import escape
from rich.tree import Tree

from abuse_service.cli import show
from abuse_service.cli.options import AsJson, Data, Reason, Url, open_desk

link_app = typer.Typer(no_args_is_help=True, help="Links between accounts: cut one that misleads, or restore it.")

Key = Annotated[str, typer.Argument(metavar="KEY", help="user:ID, fingerprint:HASH, or a bare user id.")]
Entity = Annotated[str, typer.Argument(metavar="ENTITY", help="The link's entity, as `cluster KEY` names it.")]


def cluster(key: Key, data: Data = None, url: Url = None, as_json: AsJson = False) -> None:
    """Draw who stands next to an identity: two strong links at most, each with its reason."""
    view = open_desk(data, url).get(f"clusters/{quote(key, safe='')}")
    if as_json:
        show.show_json(view)
        return
    first, *others = view["members"]
    tree = Tree(_named(first))
    branches = {first["identity_key"]: tree}
    for member in others:
        branch = branches[member["from"]]
        branches[member["identity_key"]] = branch.add(f"[dim]{_told_link(member['link'])}[/]  {_named(member)}")
    show.out.print(tree, soft_wrap=True)
    for link in view["links"]:
        if link["links_nobody_because"]:
            show.out.print(f"{link['kind']} {link['entity']} links nobody: {link['links_nobody_because']}")
    more = f", {view['left_out']} more were not counted" if view["left_out"] else ""
    show.out.print(f"accounts: {len(view['members'])}{more}; as of position {view['position']}")


@link_app.command("cut")
def link_cut(key: Key, entity: Entity, reason: Reason, data: Data = None, url: Url = None) -> None:
    """Let a strong link of an identity count no more."""
    _change(key, "cut", entity, reason, open_desk(data, url))


@link_app.command("restore")
def link_restore(key: Key, entity: Entity, reason: Reason, data: Data = None, url: Url = None) -> None:
    """Let a link that was cut count again."""
    _change(key, "restore", entity, reason, open_desk(data, url))


def _change(key: str, verb: str, entity: str, reason: str, desk: Any) -> None:
    body = json.dumps({"entity": entity, "reason": reason}).encode()
    answer = desk.post(f"clusters/{quote(key, safe='')}/{verb}", body)
    show.out.print(f"{answer['kind']} of {escape(answer['identity_key'])} {'is cut' if answer['is_cut'] else 'links'}")


def _named(member: dict[str, Any]) -> str:
    said = [f"[bold]{escape(member['identity_key'])}[/]", show.verdict(member["verdict"])]
    said += ["[red]blocked[/]"] if member["is_blocked"] else []
    said += ["deleted"] if member["is_deleted"] else []
    said += ["paying"] if member["is_paying"] else []
    said += [f"{member['disputes']} disputes"] if member["disputes"] else []
    said.append(f"{member['spent_microdollars'] / 1_000_000:.2f} USD")
    return "  ".join(said)


def _told_link(link: dict[str, Any]) -> str:
    seen = f", {link['count']} times since {link['first_seen_at'][:10]}" if "count" in link else ""
    return f"same {link['kind']} {link['entity'][:10]}…{seen}:"
