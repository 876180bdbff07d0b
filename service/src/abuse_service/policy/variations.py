"""A policy with other thresholds, or with rules that act: what a backtest tries."""

import difflib
import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence

import msgspec

from abuse_service.errors import PolicyError
from abuse_service.policy.document import Mode
from abuse_service.policy.policy import Policy

MOST_VARIATIONS = 64


def vary(policy: Policy, grid: Mapping[str, Sequence[float]]) -> Iterator[tuple[str, Policy]]:
    """Every combination of these values of thresholds, each with its name such as ``velocity_1m=60``.

    Cases that no longer come out as they say are passed over: they were written for the value that was. Raises
    `PolicyError` for a threshold that the policy does not have, and above `MOST_VARIATIONS`.
    """
    for name in grid:
        if name not in policy.document.thresholds:
            near = difflib.get_close_matches(name, policy.document.thresholds, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise PolicyError(f"the policy has no such threshold{hint}", path=f"thresholds.{name}")
    combinations = list(itertools.product(*grid.values()))
    if len(combinations) > MOST_VARIATIONS:
        raise PolicyError(f"expected at most {MOST_VARIATIONS} combinations, found {len(combinations)}", path="")
    said = msgspec.yaml.decode(policy.text.encode())
    for values in combinations:
        chosen = dict(zip(grid, values, strict=True))
        varied = said | {"thresholds": said["thresholds"] | chosen}
        name = ", ".join(f"{threshold}={value:g}" for threshold, value in chosen.items())
        yield name, Policy(msgspec.yaml.encode(varied).decode(), must_pass=False)


def let_act(policy: Policy, rule_ids: Collection[str]) -> Policy:
    """The policy with these rules live that run in shadow. Raises `PolicyError` where a law forbids what they do."""
    said = msgspec.yaml.decode(policy.text.encode())
    for rule in said["rules"]:
        if rule["id"] in rule_ids and rule.get("mode") == Mode.SHADOW:
            rule["mode"] = str(Mode.LIVE)
    return Policy(msgspec.yaml.encode(said).decode(), must_pass=False)
