"""The seven types that the abuse service wants: the event as Stripe sent it, plus the owner whom only we know."""

from abuse_client import events
from cloud.billing.owners import Owner
from cloud.stripe_webhooks.notice import Notice
from cloud.transactions import Work

FORWARDED = {
    "payment_method.attached": events.stripe_payment_method_attached,
    "payment_method.detached": events.stripe_payment_method_detached,
    "charge.dispute.created": events.stripe_charge_dispute_created,
    "charge.dispute.funds_withdrawn": events.stripe_charge_dispute_funds_withdrawn,
    "radar.early_fraud_warning.created": events.stripe_radar_early_fraud_warning_created,
    "charge.failed": events.stripe_charge_failed,
    "payment_intent.succeeded": events.stripe_payment_intent_succeeded,
}

MAX_EVENT_ID_LENGTH = 64


def forward(work: Work, notice: Notice, owner: Owner | None) -> None:
    """Report the event if its type is one of the seven; an unknown owner is left out, never guessed."""
    construct = FORWARDED.get(notice.type)
    if construct is None:
        return
    owner = owner or Owner()
    work.report_after_commit(
        construct(
            notice.event,
            kilo_user_id=owner.user_id,
            organization_id=owner.organization_id,
            occurred_at=work.occurred_at_ms,
            # Stripe's own id, so that a later import of the same event counts as the same.
            event_id=notice.id if len(notice.id) <= MAX_EVENT_ID_LENGTH else work.new_event_id(),
        )
    )
