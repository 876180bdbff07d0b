"""The call sites, as README and reference name them, held against the code."""

import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from abuse_client.contract import EVENT_CLASSES
from cloud.testing.flows import FLOWS, Flow, Site

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(r"(?m)^\| (`[^|]+`) \| ([^|]+) \|$", README)


def test_table_names_all_types() -> None:
    """Each of the 17 types stands in the table, Stripe's as one line."""
    named = {kind for kinds, _ in ROWS for kind in re.findall(r"`([^`]+)`", kinds)}
    assert named == {kind if not kind.startswith("stripe.") else "stripe.*" for kind in EVENT_CLASSES}


def test_table_names_living_functions() -> None:
    """Every function that the table names exists."""
    for _, cell in ROWS:
        named = re.search(r"`([a-z_.]+)\.([a-z_]+)`", cell)
        assert named is not None
        assert callable(getattr(import_module(f"cloud.{named[1]}"), named[2]))


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The program that writes docs/reference/call-sites.md."""
    tools = str(Path(__file__).parent.parent / "tools")
    sys.path.insert(0, tools)
    try:
        return import_module("generate_call_sites")
    finally:
        sys.path.remove(tools)


def problems(generator: ModuleType, flows: list[Flow]) -> list[str]:
    return list(generator.problems(generator.CallGraph(generator.SOURCE), flows))


def test_reference_is_true(generator: ModuleType) -> None:
    """Every site has a function that leads to its event, and a flow; every route that reports has a site."""
    assert problems(generator, FLOWS) == []
    assert generator.main(["--check"]) == 0


def test_reference_names_all_types(generator: ModuleType) -> None:
    """All 17 types are wanted, and sign-ups and sign-ins with them."""
    assert set(generator.WANTED) == {"auth.signup", "auth.signin", *EVENT_CLASSES}


@pytest.mark.parametrize("flow", FLOWS, ids=lambda flow: flow.name)
def test_missing_flow_is_noticed(generator: ModuleType, flow: Flow) -> None:
    """Each site without its flow is named."""
    found = problems(generator, [other for other in FLOWS if other is not flow])
    for site in flow.sites:
        assert f"{site.event}: {site.words}: found no flow that shows it" in found


def test_wrong_function_is_noticed(generator: ModuleType) -> None:
    """A function that does not exist, or does not lead to the event, is named; so is a route past all sites."""
    first = FLOWS[0]
    for at, fault in (("accounts.nowhere", "found no function"), ("billing.passes.change_pass", "leads to no report")):
        wrong = Flow(sites=tuple(Site(event=s.event, words=s.words, at=at) for s in first.sites), prepare=first.prepare)
        found = problems(generator, [wrong, *FLOWS[1:]])
        assert any(fault in problem for problem in found)
    without_admin = [flow for flow in FLOWS if flow.name != "block"]
    assert any("POST /users/{user_id}/block reports it" in one for one in problems(generator, without_admin))
