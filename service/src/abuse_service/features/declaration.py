"""A feature as the policy declares it."""

import base64
import enum
import hashlib
import re

import msgspec

from abuse_service.errors import PolicyError

SHORTEST_STEP_MS = 1000
SMALLEST_STEP, LARGEST_STEP = 0.005, 0.5
"""Shares of a window that ``approximate`` may give up at its edge."""

SMALLEST_ERROR = 0.1
"""The relative error that an estimated distinct count keeps to: three standard deviations of 1,000 values."""

LONGEST_WINDOW_MS = 90 * 86_400_000
_UNITS_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Aggregate(enum.StrEnum):
    """How values become one."""

    COUNT = "count"
    SUM = "sum"
    MIN = "min"
    MAX = "max"
    MEAN = "mean"
    FIRST = "first"
    LAST = "last"
    DISTINCT = "distinct"
    TOP = "top"
    RATE = "rate"
    AGE = "age"
    RATIO = "ratio"


_VALUELESS = frozenset({Aggregate.COUNT, Aggregate.RATE, Aggregate.AGE, Aggregate.RATIO})
_ALWAYS_EXACT = frozenset({Aggregate.FIRST, Aggregate.LAST, Aggregate.TOP, Aggregate.AGE})


class Entity(enum.StrEnum):
    """Whose history a feature reads."""

    USER = "user"
    ORGANIZATION = "organization"
    IP = "ip"
    NETWORK = "network"
    JA4 = "ja4"
    NETWORK_JA4 = "network_ja4"
    AGENT = "agent"
    FINGERPRINT = "fingerprint"
    DEVICE = "device"
    CARD = "card"
    MAILBOX = "mailbox"
    EMAIL_DOMAIN = "email_domain"
    CUSTOMER = "customer"
    TEMPLATE = "template"
    CLUSTER = "cluster"


class Declaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One declared feature.

    ``where`` and ``matching`` are CEL over ``event``, ``facts`` and ``event_type``; ``value`` is a path such as
    ``event.cost`` or CEL. ``window`` is a number with ``s m h d``, one minute to 90 days, or ``life``. A ratio is the
    share of events for which ``matching`` holds. ``approximate`` is the share of the window by which its edge may be
    off, for a distinct count its relative error; without it a feature is exact over the events that it looks at
    (decision 12).
    """

    entity: Entity
    events: list[str]
    aggregate: Aggregate
    window: str = "life"
    value: str | None = None
    where: str | None = None
    matching: str | None = None
    approximate: float | None = None
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
        """Names the meaning of the declaration: a changed one is another, whose history is not known yet."""
        meaning = (self.scope, self.entity, self.aggregate, self.window, self.approximate)
        return hashlib.blake2b(repr(meaning).encode(), digest_size=5).hexdigest()

    @property
    def scope(self) -> str:
        """Which events count, for whom, with which values: the part of the meaning that features may share."""
        kept_by = Entity.USER if self.entity is Entity.CLUSTER else self.entity
        return repr((kept_by, sorted(set(self.events)), self.value, self.where, self.matching))

    def state_key(self, kept: str) -> str:
        """What state of this scope that is like ``kept`` stands under, in 5 letters: every entity holds them."""
        digest = hashlib.blake2b(f"{self.scope} {kept}".encode(), digest_size=4).digest()
        return base64.urlsafe_b64encode(digest)[:5].decode()

    def check(self, name: str) -> None:
        """Refuse a declaration that can't be computed. Raises `PolicyError` naming the feature."""
        place = f"features.{name}"
        takes_value = self.aggregate not in _VALUELESS
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
            window_ms = self.window_ms
        except PolicyError as error:
            raise PolicyError(error.message, path=f"{place}.window") from None
        if self.aggregate is Aggregate.AGE and window_ms is not None:
            raise PolicyError("age looks at all of life and takes no window", path=f"{place}.window")
        if self.aggregate is Aggregate.RATE and window_ms is None:
            raise PolicyError("rate needs a window", path=f"{place}.window")
        if self.approximate is not None:
            self._check_approximate(window_ms, self.approximate, f"{place}.approximate")

    def _check_approximate(self, window_ms: int | None, share: float, place: str) -> None:
        if self.aggregate in _ALWAYS_EXACT:
            raise PolicyError(f"{self.aggregate} is always exact", path=place)
        if self.aggregate is Aggregate.DISTINCT:
            if not SMALLEST_ERROR <= share <= LARGEST_STEP:
                raise PolicyError(
                    f"expected a relative error from {SMALLEST_ERROR} to {LARGEST_STEP}, found {share}", path=place
                )
            return
        if window_ms is None:
            raise PolicyError(f"{self.aggregate} for life is exact", path=place)
        if not SMALLEST_STEP <= share <= LARGEST_STEP or window_ms * share < SHORTEST_STEP_MS:
            wanted = f"a share of the window from {SMALLEST_STEP} to {LARGEST_STEP}, a second or more"
            raise PolicyError(f"expected {wanted}, found {share}", path=place)
