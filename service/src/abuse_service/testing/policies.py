"""Small policies, and rules for them."""

from typing import Any

import msgspec

from abuse_service.policy.policy import Policy

HARD_RULE = """
- id: hard
  title: Hard
  signal: hard
  when: request.max_tokens == 1
  reason: hard
  weight: 0.9
  evidence: confirmed
  verdict: HARD_BLOCK
  action: block
"""
"""A rule that blocks whoever asks for one token."""


def policy_of(rules: str = "[]", features: str = "", head: str = "") -> Policy:
    """A small policy: YAML of its rules, of features beside the required ones, and of further sections."""
    return Policy(policy_text(rules, features, head))


def policy_text(rules: str = "[]", features: str = "", head: str = "") -> str:
    """The text of a small policy, with a rule that is off and reads whatever else is declared."""
    head_said, features_said = (_mapping(part) for part in (head, features))
    names = [*features_said, *(f"threshold.{name}" for name in head_said.get("thresholds") or ())]
    names += [f"list.{name}" for name in head_said.get("lists") or ()]
    condition = " && ".join(f"{name} == {name}" for name in names) or "true"
    reader = f"- {{id: reader, title: t, signal: s, reason: r, weight: 0, mode: 'off', when: '{condition}'}}"
    rules = reader if rules == "[]" else f"{rules.strip(chr(10))}\n{reader}"
    return f"""\
title: A small policy
{head}
features:
  requests_1m: {{entity: user, events: [request.classified], aggregate: count, window: 1m}}
  spend_1h_microdollars:
    {{entity: user, events: [request.cost_reported], aggregate: sum, value: event.cost, window: 1h}}
{_indent(features, 2)}
rules:
{_indent(rules, 2)}
"""


def _mapping(text: str) -> dict[str, Any]:
    try:
        said = msgspec.yaml.decode(text.encode())
    except msgspec.DecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def _indent(text: str, by: int) -> str:
    return "\n".join(" " * by + line for line in text.strip("\n").splitlines())
