"""Which of two values is newer, whatever order they arrived in."""

from abuse_service.events.event import Event

Stamp = tuple[int, int, bytes]
"""Event time, rank of the type, tie breaker: newest event time wins, ties by type rank, then by event id."""

# Of two events of one instant the later in this list wins: what ends a thing comes after what begins it.
_RANKS = {
    name: rank
    for rank, name in enumerate(
        (
            "auth.signup",
            "auth.signin",
            "org.created",
            "org.member_added",
            "billing.credit_purchased",
            "billing.kilo_pass_changed",
            "stripe.payment_method.attached",
            "stripe.payment_intent.succeeded",
            "stripe.charge.failed",
            "stripe.payment_method.detached",
            "stripe.radar.early_fraud_warning.created",
            "stripe.charge.dispute.created",
            "stripe.charge.dispute.funds_withdrawn",
            "request.classified",
            "request.cost_reported",
            "user.email_changed",
            "user.unblocked",
            "user.blocked",
            "org.member_removed",
            "org.deleted",
            "user.deleted",
        )
    )
}


def stamp_of(event: Event) -> Stamp:
    """The event's place among all that say the same thing."""
    return event.occurred_at_ms, _RANKS.get(event.type, -1), event.tie_breaker[:8]
