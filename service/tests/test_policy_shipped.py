"""The page about the policy that ships names what is in it."""

import re
from pathlib import Path

from abuse_service.policy.policy import DEFAULT_POLICY, load_policy

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "policy.md"


def test_page_names_each_shipped_rule() -> None:
    """Every rule of the policy that ships stands once in the page's table, and nothing else does."""
    [table] = re.findall(r"<!-- shipped: .*? -->\n(.*?)<!-- end -->", PAGE.read_text("utf-8"), flags=re.DOTALL)
    assert sorted(re.findall(r"`([^`]+)`", table)) == sorted(rule.text.id for rule in load_policy(DEFAULT_POLICY).rules)
