"""Write docs/reference/call-sites.md from the source and the flows; with ``--check`` only compare."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from call_graph import CallGraph

from abuse_client.contract import EVENT_CLASSES
from cloud.testing.flows import FLOWS, GROUPS, Flow, Site

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "cloud" / "src" / "cloud"
PAGE = ROOT / "docs" / "reference" / "call-sites.md"
TESTS = "../../cloud/tests"

WANTED: dict[str, tuple[str, ...]] = {
    "auth.signup": ("sign-up", "SSO"),
    "auth.signin": (
        "sign-in of a known user",
        "sign-in that links a new provider by e-mail",
        "a signed-in user links a provider",
    ),
    "user.blocked": (
        "admin block",
        "bulk block",
        "automatic ban",
        "cancel-and-refund",
        "an accepted dispute",
        "a domain blacklist back-fill",
    ),
    "user.unblocked": ("admin unblock", "bulk unblock by reason and date"),
    "user.deleted": ("GDPR removal",),
    "user.email_changed": ("the user confirms a new address through a link", "an admin corrects one"),
    "org.created": ("user creates", "admin creates", "sponsorship import", "an owner who comes later"),
    "org.deleted": ("soft delete by owner", "soft delete by admin"),
    "org.member_added": (
        "invitation accepted",
        "SSO auto-provision at sign-in",
        "admin add",
        "the first owner",
        "seat purchase re-adding the owner",
    ),
    "org.member_removed": ("owner or admin removes", "user leaves", "user deleted"),
    "billing.credit_purchased": (
        "top-up",
        "automatic top-up",
        "organization top-up",
        "pass credits",
        "promotional grant",
        "admin grant",
    ),
    "billing.kilo_pass_changed": (
        "subscription created",
        "subscription updated",
        "subscription deleted",
        "streak change at the paid invoice",
    ),
    **{kind: ("webhook",) for kind in EVENT_CLASSES if kind.startswith("stripe.")},
}
"""Where a cloud emits: every site that the page must name, with a function and a flow."""

HEAD = f"""# Call sites

Every event that the cloud reports, each site at which it happens, the function that the site is, and the flow that
comes to it over HTTP. Functions stand below `cloud`, flows below `cloud.testing.flows`. Reporting functions are found
in the source: they name the event's constructor on the way to `report_after_commit`.

Each flow runs by its name in [test_flows.py]({TESTS}/test_flows.py): it reports exactly what is
[written down]({TESTS}/expected), and nothing when its commit fails, on SQLite and PostgreSQL. In
[test_useless_service.py]({TESTS}/test_useless_service.py) it answers the same whatever the abuse service does.

This page is generated: `make generate`.
"""


def main(arguments: list[str] | None = None) -> int:
    """Write the page, or with ``--check`` compare it; return 1 when it is out of date or a site is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args(arguments).check
    graph = CallGraph(SOURCE)
    found = list(problems(graph))
    for problem in found:
        print(problem, file=sys.stderr)
    text = page(graph)
    is_stale = not PAGE.exists() or PAGE.read_text("utf-8") != text
    if check and is_stale:
        print(f"out of date: docs/reference/{PAGE.name}; run `make generate`", file=sys.stderr)
    elif is_stale:
        PAGE.write_text(text, "utf-8")
    return int(bool(found) or (check and is_stale))


def problems(graph: CallGraph, flows: list[Flow] = FLOWS, wanted: dict[str, tuple[str, ...]] = WANTED) -> Iterator[str]:
    """Yield what keeps the page from being true."""
    sites = [site for flow in flows for site in flow.sites]
    yield from missing_sites(sites, wanted)
    reporters = reporters_by_event(graph)
    for site in sites:
        if site.at not in graph.places:
            yield f"{site.name}: found no function {site.at}"
        elif not graph.reach([site.at]) & reporters.get(site.event, set()):
            yield f"{site.name}: {site.at} leads to no report of it"
    for event, functions in reporters.items():
        at = frozenset(site.at for site in sites if group_of(site.event) == group_of(event))
        for name, route in graph.routes().items():
            around = graph.reach([name], without=at) & functions - at
            if around:
                yield f"{event}: {route} reports it from {', '.join(sorted(around))} without a call site that is listed"


def group_of(event: str) -> str:
    """Return what is reported by one function: sign-ups and sign-ins are."""
    return "auth" if event.startswith("auth.") else event


def missing_sites(sites: list[Site], wanted: dict[str, tuple[str, ...]]) -> Iterator[str]:
    """Yield the sites that no flow shows, and what a flow shows that is no site."""
    shown = {(site.event, site.words) for site in sites}
    named = {(event, words) for event, some in wanted.items() for words in some}
    yield from (f"{event}: {words}: found no flow that shows it" for event, words in sorted(named - shown))
    yield from (f"{event}: {words}: found a flow of no known site" for event, words in sorted(shown - named))


def reporters_by_event(graph: CallGraph) -> dict[str, set[str]]:
    """Return by event, in the contract's order, the functions that report it."""
    made = graph.reporters()
    entrances = graph.entrances()
    business = {event: made.get(constructor_of(event), set()) for event in EVENT_CLASSES}
    return {"auth.signup": entrances, "auth.signin": entrances} | business


def constructor_of(event: str) -> str:
    return event.replace(".", "_")


def page(graph: CallGraph) -> str:
    """Return the page."""
    parts = [HEAD]
    for event, functions in reporters_by_event(graph).items():
        told = ", ".join(f"`{name}`" for name in sorted(functions))
        rows = [row(site, flow) for flow in FLOWS for site in flow.sites if site.event == event]
        table = ["| site | function | flow |", "| --- | --- | --- |", *rows]
        parts.append(f"## `{event}`\n\nReported by {told}.\n\n" + "\n".join(table) + "\n")
    return "\n".join(parts)


def row(site: Site, flow: Flow) -> str:
    group = next(name for name, flows in GROUPS.items() if flow in flows)
    return f"| {site.words} | `{site.at}` | `{group}.{flow.name}` |"


if __name__ == "__main__":
    sys.exit(main())
