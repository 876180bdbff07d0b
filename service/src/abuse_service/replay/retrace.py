"""A world that is told the log once more, and can be asked at each decision what it would decide there."""

from collections.abc import Iterator
from typing import Any

import msgspec

from abuse_client.contract import ClassifyPayload
from abuse_service.decisions.decision import Decision
from abuse_service.decisions.estimate import Estimator
from abuse_service.decisions.judge import Judge
from abuse_service.decisions.standing import Standing
from abuse_service.events.content import Content, content_of
from abuse_service.events.entity import EntityKey
from abuse_service.events.event import ACCOUNT_JUDGED, AUTH_SIGNIN, AUTH_SIGNUP, Event, Facts, Stored
from abuse_service.events.tokens import prompt_bytes
from abuse_service.features.projection import Projection
from abuse_service.replay.recover import take_image
from abuse_service.replay.retell import note_decision
from abuse_service.replay.snapshot import Snapshot, Snapshots

_decision = msgspec.json.Decoder(Decision).decode
_AUTH = frozenset({AUTH_SIGNUP, AUTH_SIGNIN})
_MOST_OPEN = 16
"""Sign-ins of one identity that wait for the decision on them."""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A decision of the log, with what it was asked about, while the states are as they were then."""

    position: int
    event: Event
    recorded: Decision
    entity: EntityKey
    entities: tuple[EntityKey, ...]
    facts: Facts
    request: ClassifyPayload
    is_request: bool


class Retrace:
    """States and standing as they were at each moment, told in the order of `story.tell`."""

    def __init__(self, projection: Projection, standing: Standing, snapshots: Snapshots) -> None:
        """The states' cold part and ``snapshots`` are one scratch store, so that memory stays within its bound."""
        self.projection = projection
        self.standing = standing
        self._snapshots = snapshots
        self._has_room = True
        self._signed_in: dict[EntityKey, list[Event]] = {}

    def take(self, stored: Stored) -> Iterator[Asked]:
        """Fold an event. The record of a decision is given out first, once its request is folded and it is not."""
        event, position = stored.event, stored.position
        content = content_of(event)
        self.projection.apply(position, event, content)
        if event.outcome is not None and event.identity_entity is not None:
            recorded = _decision(event.outcome)
            self.projection.deliver_until(recorded.delivering)
            asked = self._asked(position, event, content, recorded)
            if asked is not None:
                yield asked
            note_decision(self.projection, event.identity_entity, recorded)
        elif event.type in _AUTH and event.identity_entity is not None:
            signed_in = self._signed_in.setdefault(event.identity_entity, [])
            signed_in.append(event)
            del signed_in[:-_MOST_OPEN]
        self.standing.take(position, event)
        if self._has_room and self.projection.states.wants_cut:
            image = Snapshot(position=position, ahead=(), kept=self.projection.upkeep.sample())
            self._has_room = take_image(self._snapshots, self.projection, image)
            self.projection.states.trim()

    def decide(
        self, judge: Judge, asked: Asked, estimator: Estimator | None = None, read: dict[str, Any] | None = None
    ) -> Decision | None:
        """What a judge decides where a decision was asked for; ``None`` where nothing is known of the identity.

        ``read`` is as in `Judge.decide`.
        """
        state = self.projection.identity(asked.entity)
        if state is None:
            return None
        decision = judge.decide(
            request_id=asked.recorded.request_id,
            entity=asked.entity,
            state=state,
            entities=asked.entities,
            at_ms=asked.recorded.decided_at_ms,
            position=asked.recorded.position,
            request=asked.request,
            facts=asked.facts,
            is_enforced=asked.recorded.is_enforced,
            read=read,
        )
        if estimator is None or not asked.is_request:
            return decision
        request = asked.request
        length = prompt_bytes(request.user_prompt) + prompt_bytes(request.system_prompt)
        return estimator.promise(decision, request, length, state.record.spend)

    def _asked(self, position: int, event: Event, content: Content | None, recorded: Decision) -> Asked | None:
        """A request's own record says all; an account's was decided on a sign-in of the same instant."""
        entity = event.identity_entity or b""
        about = self._sign_in_of(event) if event.type == ACCOUNT_JUDGED else event
        if about is None:
            return None
        is_request = isinstance(content, ClassifyPayload)
        return Asked(
            position=position,
            event=event,
            recorded=recorded,
            entity=entity,
            entities=about.entities,
            facts=about.facts or Facts(),
            request=content if isinstance(content, ClassifyPayload) else ClassifyPayload(),
            is_request=is_request,
        )

    def _sign_in_of(self, judged: Event) -> Event | None:
        """The sign-in that an account's decision was made on: more than one may have waited for theirs."""
        waiting = self._signed_in.get(judged.identity_entity or b"", [])
        instant = (judged.occurred_at_ms, judged.received_at_ms)
        for place, event in enumerate(waiting):
            if (event.occurred_at_ms, event.received_at_ms) == instant:
                del waiting[place]
                return event
        return None


class Difference(msgspec.Struct, frozen=True):
    """One thing that a decision that was made again says otherwise."""

    name: str
    then: Any
    now: Any


def differences(then: Decision, now: Decision) -> list[Difference]:
    """What two decisions say otherwise, each value by its name."""
    found: list[Difference] = []
    for name in Decision.__struct_fields__:
        one, other = getattr(then, name), getattr(now, name)
        if one == other:
            continue
        if name == "values":
            names = sorted(one.keys() | other.keys())
            found += [
                Difference(name, one.get(name, "not read"), other.get(name, "not read"))
                for name in names
                if one.get(name, _NOT_READ) != other.get(name, _NOT_READ)
            ]
        else:
            found.append(Difference(name, msgspec.to_builtins(one), msgspec.to_builtins(other)))
    return found


_NOT_READ = object()
