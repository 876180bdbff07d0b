"""What became of a client's reports, as OpenTelemetry metrics. The guards' spans and metrics need no call.

```python
observe(client)
```
"""

from collections.abc import Callable, Iterable
from typing import Protocol

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from abuse_client.tally import Stats


class HasStats(Protocol):
    """The part of a client that is needed; both clients have it."""

    def stats(self) -> Stats:
        """What became of everything so far."""


_COUNTED = ("sent", "failed", "dropped")


def observe(client: HasStats, *, name: str = "default") -> None:
    """Have the client's `stats()` read whenever metrics are collected; ``name`` tells several clients apart."""
    meter = metrics.get_meter("abuse_client")
    meter.create_observable_counter(
        "abuse.client.reports",
        [_outcomes(client, name)],
        unit="{report}",
        description="Reports and questions by what became of them.",
    )
    meter.create_observable_gauge(
        "abuse.client.queued",
        [_queued(client, name)],
        unit="{report}",
        description="Reports that wait or are under way.",
    )


def _outcomes(client: HasStats, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> Iterable[Observation]:
        stats = client.stats()
        for outcome in _COUNTED:
            yield Observation(getattr(stats, outcome), {"abuse.outcome": outcome, "abuse.client": name})

    return read


def _queued(client: HasStats, name: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> Iterable[Observation]:
        yield Observation(client.stats().queued, {"abuse.client": name})

    return read
