"""A feature as the policy declares it."""

import enum
import hashlib
import re

import msgspec

from abuse_service.errors import PolicyError

STEPS = 60
"""A window moves in steps of a sixtieth of its length, so its edge is exact to that."""

MOST_DISTINCT = 1000
"""Values that a distinct count tells apart; at that number it stops counting up."""

LONGEST_WINDOW_MS = 90 * 86_400_000
_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Aggregate(enum.StrEnum):
    """How values become one."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    DISTINCT = "distinct"
    FIRST = "first"
    LAST = "last"
    RATIO = "ratio"


class Entity(enum.StrEnum):
    """Whose history a feature reads."""

    USER = "user"
    ORGANIZATION = "organization"
    IP = "ip"
    NETWORK = "network"
    JA4 = "ja4"
    DEVICE = "device"
    CARD = "card"
    MAILBOX = "mailbox"
    EMAIL_DOMAIN = "email_domain"
    CUSTOMER = "customer"


class Declaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One declared feature.

    ``where`` and ``matching`` are CEL over ``event``, ``facts`` and ``event_type``; ``value`` is a path such as
    ``event.cost`` or CEL. ``window`` is a number with ``s m h d``, one minute to 90 days, or ``life``. A ratio is the
    share of events for which ``matching`` holds.
    """

    entity: Entity
    events: list[str]
    aggregate: Aggregate
    window: str = "life"
    value: str | None = None
    where: str | None = None
    matching: str | None = None
    title: str = ""

    @property
    def window_ms(self) -> int | None:
        """Length of the window in milliseconds, ``None`` for life. Raises `PolicyError`."""
        if self.window == "life":
            return None
        found = re.fullmatch(r"(\d+)([smhd])", self.window)
        length = int(found[1]) * _UNITS_MS[found[2]] if found else 0
        if not 60_000 <= length <= LONGEST_WINDOW_MS:
            raise PolicyError(f"expected life or a window from 1m to 90d, found {self.window!r}")
        return length

    @property
    def key(self) -> str:
        """What the feature's state is kept under: a changed declaration never reads old numbers."""
        meaning = (
            self.entity,
            sorted(set(self.events)),
            self.aggregate,
            self.window,
            self.value,
            self.where,
            self.matching,
        )
        return hashlib.blake2b(repr(meaning).encode(), digest_size=5).hexdigest()

    def check(self, name: str) -> None:
        """Refuse a declaration that can't be computed. Raises `PolicyError` naming the feature."""
        place = f"features.{name}"
        takes_value = self.aggregate not in (Aggregate.COUNT, Aggregate.RATIO)
        if takes_value != (self.value is not None):
            raise PolicyError(
                f"{self.aggregate} {'needs a' if takes_value else 'takes no'} value", path=f"{place}.value"
            )
        takes_matching = self.aggregate is Aggregate.RATIO
        if takes_matching != (self.matching is not None):
            wrong = f"{self.aggregate} {'needs' if takes_matching else 'takes no'} matching"
            raise PolicyError(wrong, path=f"{place}.matching")
        if not self.events:
            raise PolicyError("expected at least one event type", path=f"{place}.events")
        try:
            _ = self.window_ms
        except PolicyError as error:
            raise PolicyError(error.message, path=f"{place}.window") from None
