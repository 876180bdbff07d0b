"""The reports, which are plain functions for threads and for asyncio alike."""

import weakref
from collections.abc import Callable, Iterable
from typing import TypeVar

from abuse_client import drafts
from abuse_client.checking import insist
from abuse_client.contract import AuthEventPayload, CostPayload, EventsBatch
from abuse_client.drafts import AUTH_PATH, COST_PATH, Fields, GivenEvent
from abuse_client.engine import Engine
from abuse_client.reports import EVENTS_PATH, Report
from abuse_client.settings import resolve
from abuse_client.tally import Stats

G = TypeVar("G")


class Reporting:
    """What both clients share: they report without waiting and without raising."""

    def __init__(
        self,
        url: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        *,
        strict: bool = False,
        max_queued: int = 50_000,
        max_queued_bytes: int = 32 * 2**20,
        max_prompt_characters: int = 8192,
        max_questions: int = 256,
        linger_s: float = 0.05,
        compress: bool = True,
        attempt_timeout_s: float = 10.0,
        exit_flush_s: float = 2.0,
    ) -> None:
        """``None`` for the address or the token means what the environment says; without an address nothing is sent.

        With ``strict`` a payload that breaks the contract raises at the call. The other arguments bound what may wait
        and leave, and how long, see `abuse_client.settings.Settings`.
        """
        self._settings = resolve(
            url,
            client_id,
            client_secret,
            strict=strict,
            max_queued=max_queued,
            max_queued_bytes=max_queued_bytes,
            max_prompt_characters=max_prompt_characters,
            max_questions=max_questions,
            linger_s=linger_s,
            compress=compress,
            attempt_timeout_s=attempt_timeout_s,
            exit_flush_s=exit_flush_s,
        )
        self._engine = Engine(self._settings)
        # A client that is forgotten without close() still sends what it took.
        weakref.finalize(self, self._engine.retire).atexit = False
        if self._settings.has_unusable_token:
            self._engine.failures.tell("service token not sent", "its id or secret cannot stand in an HTTP header")

    def report_cost(self, payload: CostPayload | Fields) -> None:
        """Report what a request cost. Nothing is sent without the ``request_id`` of a classification."""
        self._hand_over(COST_PATH, drafts.cost, payload)

    def report_auth_event(self, payload: AuthEventPayload | Fields) -> None:
        """Report a sign-up or sign-in."""
        self._hand_over(AUTH_PATH, drafts.auth_event, payload)

    def report_event(self, event: GivenEvent) -> None:
        """Report one business event, made by `abuse_client.events` or given as a mapping."""
        self._hand_over(EVENTS_PATH, drafts.event, event)

    def report_events(self, events: Iterable[GivenEvent] | EventsBatch | Fields) -> None:
        """Report any number of business events; one that is wrong does not hold up the others."""
        if self._is_silent:
            return
        try:
            members = drafts.members(events)
        except Exception as error:
            self._wrong(EVENTS_PATH, error)
            return
        for event in members:
            self.report_event(event)

    def stats(self) -> Stats:
        """What became of everything so far."""
        return self._engine.stats()

    def _hand_over(self, path: str, write: Callable[[G], Report | None], given: G) -> None:
        if self._is_silent:
            return
        try:
            report = write(given)
            if report is not None and self._settings.strict:
                insist(report)
        except Exception as error:
            self._wrong(path, error)
            return
        if report is not None and self._settings.url:
            self._engine.report(report)

    @property
    def _is_silent(self) -> bool:
        return not self._settings.url and not self._settings.strict

    def _wrong(self, path: str, error: Exception) -> None:
        """Tell of a payload that breaks the contract; raises it when strict."""
        if self._settings.strict:
            raise error
        self._engine.tally.add(failed=1)
        self._engine.failures.tell(f"{path} not sent, wrong payload", f"{type(error).__name__}: {error}")
