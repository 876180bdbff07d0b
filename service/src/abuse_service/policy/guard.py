"""How many paying accounts a rule may hit before it drops to shadow (decision 0015)."""

import re
from collections.abc import Collection

import msgspec

from abuse_service.errors import PolicyError

MOST_ACCOUNTS = 10_000
_LONGEST_MS = 24 * 3_600_000
_UNITS_MS = {"m": 60_000, "h": 3_600_000}


class GuardText(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rule with a verdict that hits more than ``paying_accounts`` distinct ones within ``window`` drops to shadow.

    ``exempt`` are rules by which people speak: what they decided is carried out, however many it hits.
    """

    paying_accounts: int = 20
    window: str = "1h"
    exempt: list[str] = []

    @property
    def window_ms(self) -> int:
        """Length of the window in milliseconds, 0 where it is none."""
        found = re.fullmatch(r"(\d{1,4})([mh])", self.window)
        return int(found[1]) * _UNITS_MS[found[2]] if found else 0


def check_guard(guard: GuardText, rule_ids: Collection[str]) -> None:
    """Refuse a guard that can't work. Raises `PolicyError` that names the place."""
    if not 1 <= guard.paying_accounts <= MOST_ACCOUNTS:
        raise PolicyError(f"expected a number from 1 to {MOST_ACCOUNTS}", path="guard.paying_accounts")
    if not 60_000 <= guard.window_ms <= _LONGEST_MS:
        raise PolicyError(f"expected a time from 1m to 24h, found {guard.window!r}", path="guard.window")
    for index, rule_id in enumerate(guard.exempt):
        if rule_id not in rule_ids:
            raise PolicyError(f"there is no rule {rule_id}", path=f"guard.exempt[{index}]")
