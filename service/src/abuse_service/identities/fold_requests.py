"""Requests and what they cost, folded into a record. The hot path: these come a thousand times for each other event."""

from abuse_client.contract import ClassifyPayload, CostPayload
from abuse_service.events.event import Event
from abuse_service.identities.merge import add_bounded
from abuse_service.identities.networks import note_network
from abuse_service.identities.record import Record
from abuse_service.identities.spend_rows import add_spend

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MOST_HOURS = 24
MOST_DAYS = 30


def fold_request(record: Record, event: Event, content: ClassifyPayload) -> None:
    """Count a request, and note where it came from."""
    record.spend.requests += 1
    note_network(record.networks, event, content)


def fold_cost(record: Record, event: Event, content: CostPayload) -> None:
    """Add what a request cost."""
    spend = record.spend
    cost = content.cost
    spend.reports += 1
    spend.cost_microdollars = add_bounded(spend.cost_microdollars, cost)
    spend.input_tokens = add_bounded(spend.input_tokens, content.input_tokens or 0)
    spend.output_tokens = add_bounded(spend.output_tokens, content.output_tokens or 0)
    hour = event.occurred_at_ms // HOUR_MS
    add_spend(spend.hours, hour, cost, MOST_HOURS)
    add_spend(spend.days, hour // 24, cost, MOST_DAYS)
