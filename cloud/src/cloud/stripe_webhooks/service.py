"""Taking a webhook event: once, as a whole, joined to its owner by what we know, else by what Stripe knows."""

from cloud.billing.owners import Owner, find_owner, learn_owner
from cloud.context import Cloud
from cloud.database import insert_once
from cloud.stripe_webhooks.actions import act_upon
from cloud.stripe_webhooks.forwarding import FORWARDED, forward
from cloud.stripe_webhooks.models import StripeEvent
from cloud.stripe_webhooks.naming import name_person
from cloud.stripe_webhooks.notice import Notice
from cloud.transactions import Work


def take_notice(cloud: Cloud, notice: Notice) -> bool:
    """Take the event and say whether it was new. A second copy changes and reports nothing."""
    # Asked before the transaction begins: no lock is held while Stripe is waited for.
    looked_up = look_up(cloud, notice)
    with cloud.transaction(happened_at=notice.created_at) as work:
        # A copy that is taken at the same time is waited for here.
        if not insert_once(work.session, StripeEvent, id=notice.id, type=notice.type, taken_at=work.now):
            return False
        owner = join_owner(work, notice, looked_up)
        forward(work, notice, owner)
        act_upon(cloud, work, notice, owner)
    return True


def look_up(cloud: Cloud, notice: Notice) -> list[str]:
    """Ask Stripe for the customer of an event that names nobody we know: a dispute, a warning."""
    if notice.type not in FORWARDED:
        return []
    with cloud.database.reading() as session:
        if session.get(StripeEvent, notice.id) is not None or find_owner(session, notice.named_ids()) is not None:
            return []
    return cloud.payments.find_owner_ids(notice.looked_up_ids())


def join_owner(work: Work, notice: Notice, looked_up: list[str]) -> Owner | None:
    """Find whose event this is and remember that all ids it names are his."""
    owner = name_person(work, notice, find_owner(work.session, [*notice.named_ids(), *looked_up]))
    if owner is not None:
        learn_owner(work, owner, notice.named_ids())
    return owner
