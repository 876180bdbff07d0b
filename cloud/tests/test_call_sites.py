"""The README's table of call sites, held against the code."""

import re
from importlib import import_module
from pathlib import Path

from abuse_client.contract import EVENT_CLASSES

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
