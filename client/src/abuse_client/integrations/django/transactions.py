"""Reports that leave after Django's commit."""

from functools import partial

from django.db import transaction

from abuse_client.contract import AuthEventPayload
from abuse_client.integrations.django.configuration import abuse
from abuse_client.integrations.reports import Fields, GivenEvent


def report_after_commit(*events: GivenEvent, using: str | None = None) -> None:
    """Report events once what is done now has been committed; never after a rollback, savepoints included.

    Outside of a transaction they leave at once. ``using`` names the database, as with `django.db.transaction`.
    """
    for event in events:
        transaction.on_commit(partial(abuse().client.report_event, event), using=using, robust=True)


def report_auth_event_after_commit(payload: AuthEventPayload | Fields, *, using: str | None = None) -> None:
    """The same for a sign-up or sign-in."""
    transaction.on_commit(partial(abuse().client.report_auth_event, payload), using=using, robust=True)
