"""Which policy is in force: chosen at the start, changed while the service runs (ADR 0013)."""

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from abuse_service.errors import PolicyError, StorageUnavailable
from abuse_service.events.event import OWN_SOURCE, POLICY_ACTIVATED, Event
from abuse_service.events.log import Appended, EventLog
from abuse_service.features.catalog import Catalog, Feature
from abuse_service.features.projection import Projection
from abuse_service.policy.book import Activation, Cause, PolicyBook
from abuse_service.policy.policy import Policy, load_policy
from abuse_service.policy.source import refuse_repeats
from abuse_service.replay.snapshot import Snapshot
from abuse_service.replay.story import Log
from abuse_service.telemetry import log

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Activation).decode
_MOST_COMPILED = 4


def read_book(event_log: Log, snapshot: Snapshot | None) -> PolicyBook:
    """The book as the log tells it; an image says where its events stand in the part that it holds."""
    known, behind = (snapshot.policies, snapshot.position) if snapshot else ((), 0)
    book = PolicyBook()
    for place in known:
        for stored in event_log.read(place - 1, limit=1):
            _note(book, stored.position, stored.event)
    for stored in event_log.read(behind):
        _note(book, stored.position, stored.event)
    return book


class Start(msgspec.Struct, frozen=True):
    """The policy that a service starts with, and the change that this is, where it is one."""

    policy: Policy
    change: Activation | None = None


def choose(book: PolicyBook, path: Path | None, *, takes_settings: bool) -> Start:
    """What is in force from the start: the settings' policy where it changed, else the one that was.

    A service that only answers an operator's question does not take the settings' policy. Raises `PolicyError` where
    there is none that holds together.
    """
    offered: Policy | PolicyError
    try:
        offered = load_policy(path)
    except PolicyError as error:
        offered = error
    active = book.active
    if isinstance(offered, Policy):
        if active is None or (takes_settings and book.settings_speak(offered.version, is_shipped=path is None)):
            change = _activation(book, offered, Cause.SETTINGS, "settings", "the settings name it")
            return Start(offered, change if takes_settings else None)
        if active == offered.version:
            return Start(offered)
    elif active is None:
        raise offered
    elif takes_settings:
        log.error("the settings' policy is refused, the one in force goes on", fault=offered.message, at=offered.path)
    try:
        return Start(Policy(book.text(active)))
    except PolicyError as error:
        if not isinstance(offered, Policy):
            raise
        reason = f"version {active} no longer holds together: {error.message}"
        log.error("the policy in force no longer holds together, the settings' takes its place", fault=error.message)
        change = _activation(book, offered, Cause.SETTINGS, "settings", reason)
        return Start(offered, change if takes_settings else None)


def kept_catalog(book: PolicyBook, policy: Policy, compiled: Iterable[Policy] = ()) -> Catalog:
    """The features of a policy, and beside them those of the versions before it, which stay up to date."""
    known = {one.version: one for one in compiled}
    beside: list[Feature] = []
    for version in book.kept(policy.version):
        try:
            earlier = policy if version == policy.version else known.get(version) or Policy(book.text(version))
        except PolicyError:
            log.warning("an earlier policy no longer holds together, its features are not kept", version=version)
            continue
        if earlier is not policy:
            beside.extend(earlier.catalog.features.values())
    return Catalog.of(policy.catalog.features, beside)


class Versions:
    """Changes the policy between two requests: each change is an event first, and then takes effect at once."""

    def __init__(
        self,
        *,
        book: PolicyBook,
        policy: Policy,
        event_log: EventLog,
        projection: Projection,
        install: Callable[[Policy], None],
        now_ms: Callable[[], int],
    ) -> None:
        """``install`` makes a policy the one that judges."""
        self.book = book
        self.active = policy
        self._event_log = event_log
        self._projection = projection
        self._install = install
        self._now_ms = now_ms
        self._changing = asyncio.Lock()
        # The engine that checks expressions is not asked by two threads at once.
        self._compiling = asyncio.Lock()
        self._compiled = [policy]

    async def record_start(self, change: Activation) -> None:
        """Write down that the settings' policy is in force. A full disk is no reason not to start."""
        at_ms = self._now_ms()
        event = _event(change, at_ms)
        try:
            await self._event_log.append(
                [event], then=lambda told: self.book.note(told.positions[0], at_ms, _decode(event.body))
            )
        except StorageUnavailable:
            log.error("the change of the policy is not recorded: the data directory takes no more writes")

    async def check(self, text: str) -> Policy:
        """Compile a policy and run its cases, beside the requests. Raises `PolicyError`."""
        async with self._compiling:
            return await asyncio.to_thread(_compile, text)

    async def activate(self, text: str, *, reason: str, actor: str) -> bool:
        """Make this text the policy in force; False where it is already.

        Raises `PolicyError` or `StorageUnavailable`; then the one in force goes on.
        """
        async with self._changing:
            return await self._change(text, Cause.ACTIVATE, reason, actor)

    async def roll_back(self, *, reason: str, actor: str) -> bool:
        """Take the newest change back that still stands. Raises as `activate` does, and `BadRequest` without one."""
        async with self._changing:
            return await self._change(self.book.text(self.book.before()), Cause.ROLLBACK, reason, actor)

    async def _change(self, text: str, cause: Cause, reason: str, actor: str) -> bool:
        policy = await self.check(text)
        if policy.version == self.active.version:
            return False
        async with self._compiling:
            catalog = await asyncio.to_thread(kept_catalog, self.book, policy, self._compiled)
        change = _activation(self.book, policy, cause, actor, reason)
        at_ms = self._now_ms()

        def take_effect(told: Appended) -> None:
            self.book.note(told.positions[0], at_ms, change)
            self._projection.change(
                catalog,
                at_ms=at_ms,
                position=told.positions[0],
                ahead=self._event_log.pending_requests,
            )
            self.active = policy
            self._compiled = [policy, *self._compiled][:_MOST_COMPILED]
            self._install(policy)

        await self._event_log.append([_event(change, at_ms)], then=take_effect)
        filling = self._projection.upkeep.filling
        log.warning("policy changed", version=policy.version, cause=str(cause), actor=actor, features_to_fill=filling)
        return True


def _compile(text: str) -> Policy:
    refuse_repeats(text)
    return Policy(text)


def _activation(book: PolicyBook, policy: Policy, cause: Cause, actor: str, reason: str) -> Activation:
    text = None if book.knows(policy.version) else policy.text
    return Activation(version=policy.version, cause=cause, actor=actor, reason=reason, text=text)


def _event(change: Activation, at_ms: int) -> Event:
    return Event(POLICY_ACTIVATED, OWN_SOURCE, at_ms, at_ms, _encode(change))


def _note(book: PolicyBook, position: int, event: Event) -> None:
    if event.type == POLICY_ACTIVATED and event.source == OWN_SOURCE:
        book.note(position, event.occurred_at_ms, _decode(event.body))
