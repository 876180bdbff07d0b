"""What people said that stands, and what waits for one: lists, and rules that the guard dropped to shadow.

Folded from the service's own events in the order of the log (decision 0015).
"""

from typing import Any

import msgspec

from abuse_service.decisions.lists import BLOCKED, UNBLOCKED, Entry, Lists
from abuse_service.events.entity import EntityKind, EntityNamer
from abuse_service.events.event import LIST_CHANGED, OWN_SOURCE, RULE_GUARDED, RULE_RELEASED, Event

_decode = msgspec.json.decode


class ListChange(msgspec.Struct, frozen=True, kw_only=True):
    """The body of ``service.list_changed``. ``entry`` is what the operator wrote."""

    list_name: str = msgspec.field(name="list")
    entry: str
    change: str
    reason: str
    actor: str
    expires_at: int | None = None


class GuardedRule(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that hit too many paying accounts: it runs in shadow until a person releases it."""

    rule_id: str
    guarded_at_ms: int
    paying_accounts: int
    window: str
    policy_version: str


class Stood(msgspec.Struct, frozen=True, array_like=True):
    """All of it at one instant, as an image on disk holds it."""

    entries: tuple[Entry, ...] = ()
    guarded: tuple[GuardedRule, ...] = ()


class Standing:
    """The lists and the guarded rules, as the log tells them."""

    def __init__(self, namer: EntityNamer) -> None:
        self.namer = namer
        self.lists = Lists()
        self.guarded: dict[str, GuardedRule] = {}

    def take(self, position: int, event: Event) -> None:
        """Fold one event; those of other types and of other senders say nothing here."""
        step = _STEPS.get(event.type)
        if step is not None and event.source == OWN_SOURCE:
            step(self, position, event)

    def stood(self) -> Stood:
        """All of it, for an image."""
        return Stood(tuple(self.lists.entries()), tuple(self.guarded.values()))

    def restore(self, stood: Stood) -> None:
        """Hold what an image held."""
        self.lists.restore(stood.entries)
        self.guarded.update({rule.rule_id: rule for rule in stood.guarded})

    def forget(self, position: int, event: Event) -> None:
        """Let go of the reason that somebody wrote in the change of a list at a position of the log."""
        for key in event.entities:
            self.lists.forget_reason(key, position)

    def _change_list(self, position: int, event: Event) -> None:
        said = _decode(event.body, type=ListChange)
        [key] = event.entities
        at_ms = event.occurred_at_ms
        if said.change == "added":
            entry = Entry(said.list_name, key, said.reason, said.actor, at_ms, said.expires_at, position)
            self.lists.add(entry)
            return
        removed = self.lists.remove(said.list_name, key)
        if removed is not None and said.list_name == BLOCKED and key[:1] == EntityKind.USER.value:
            # An unblock leaves an exception: what once led here shall not do so again within the hour.
            self.lists.add(Entry(UNBLOCKED, key, said.reason, said.actor, at_ms, None, position))

    def _guard(self, position: int, event: Event) -> None:
        rule = _decode(event.body, type=GuardedRule)
        self.guarded[rule.rule_id] = rule

    def _release(self, position: int, event: Event) -> None:
        self.guarded.pop(_decode(event.body)["rule_id"], None)


_STEPS: dict[str, Any] = {
    LIST_CHANGED: Standing._change_list,
    RULE_GUARDED: Standing._guard,
    RULE_RELEASED: Standing._release,
}
