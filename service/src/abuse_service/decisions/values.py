"""The facts that rules read, from the states as they stand. Only those are computed that some rule reads."""

from collections.abc import Callable, Collection
from typing import Any

import msgspec

from abuse_client.contract import ClassifyPayload
from abuse_service.decisions.cluster import Cluster
from abuse_service.decisions.lists import UNBLOCKED
from abuse_service.enrichment.places import fastest_kmh
from abuse_service.events.entity import EntityKey, EntityKind
from abuse_service.events.event import Facts
from abuse_service.identities import facts as said
from abuse_service.identities.merge import newest
from abuse_service.identities.places import count_countries, sightings
from abuse_service.identities.state import IdentityState
from abuse_service.identities.tenure import Ended

_HOUR_MS = 3_600_000
_DAY_MS = 86_400_000


class Situation(msgspec.Struct, frozen=True):
    """What a decision is made from: who, when, what is asked."""

    entity: EntityKey
    state: IdentityState
    cluster: Cluster
    entities: tuple[EntityKey, ...]
    at_ms: int
    request: ClassifyPayload
    facts: Facts
    is_trusted: bool
    ended: Ended
    listed: Collection[str] = ()


def _profile(situation: Situation, name: str) -> Any:
    return newest(situation.state.record.profile, name)


def _age_days(situation: Situation) -> float:
    created_at_ms = said.created_at_ms(situation.state.record) or situation.state.first_seen_ms
    return max(0.0, (situation.at_ms - created_at_ms) / _DAY_MS)


def _travel_kmh(situation: Situation) -> float:
    places = situation.state.places
    # Most people stay where they are.
    if len(places) < 2 or len({stay[2] for stay in places}) < 2:
        return 0.0
    return fastest_kmh(sightings(places, situation.at_ms))


def _days_known(situation: Situation, kind: EntityKind) -> float:
    """How long the identity is known on the entity of a kind that its event names."""
    letter = kind.value
    key = next((key for key in situation.entities if key[:1] == letter), None)
    if key is None:
        return _age_days(situation)
    seen = situation.state.weak.get(key)
    return max(0.0, (situation.at_ms - seen[0]) / _DAY_MS) if seen else 0.0


def _payment_age_days(situation: Situation) -> float:
    first = situation.state.record.credits.first_paid_at_ms
    if first is None or not said.is_paying(situation.state.record, situation.ended):
        return 0.0
    return max(0.0, (situation.at_ms - first) / _DAY_MS)


def _streak_months(situation: Situation) -> int:
    record = situation.state.record
    months = newest(record.pass_layers, "streak_months") if said.has_pass(record) else None
    return months if isinstance(months, int) else 0


def _is_forged(situation: Situation) -> bool:
    # Not checked is null and not false: only a check that said no counts.
    return _profile(situation, "stytch_is_authentic_device") is False


READERS: dict[str, Callable[[Situation], Any]] = {
    "identity.is_anonymous": lambda s: s.state.key.startswith("fingerprint:"),
    "identity.is_blocked": lambda s: said.is_blocked(s.state.record),
    "identity.is_deleted": lambda s: s.state.record.deleted is not None,
    "identity.was_unblocked": lambda s: UNBLOCKED in s.listed or said.was_unblocked(s.state.record),
    "identity.is_trusted": lambda s: s.is_trusted,
    "identity.is_paying": lambda s: said.is_paying(s.state.record, s.ended),
    "identity.is_on_paid_plan": lambda s: said.is_on_paid_plan(s.state.record, s.ended),
    "identity.has_sso": lambda s: said.has_sso(s.state.record, s.ended),
    "identity.age_days": _age_days,
    "identity.auth_providers": lambda s: len(_profile(s, "auth_providers") or ()),
    "identity.mailbox_digits": lambda s: s.state.mailbox_digits,
    "identity.mailbox_dots": lambda s: s.state.mailbox_dots,
    "identity.mailbox_is_tagged": lambda s: s.state.mailbox_is_tagged,
    "identity.is_disposable_email": lambda s: s.state.is_disposable_email,
    "identity.is_free_email": lambda s: s.state.free_email[1],
    "identity.has_lookalike_email": lambda s: s.state.has_lookalike_email,
    "identity.travel_kmh": _travel_kmh,
    "identity.countries_1h": lambda s: count_countries(s.state.places, s.at_ms, _HOUR_MS),
    "identity.countries_24h": lambda s: count_countries(s.state.places, s.at_ms, _DAY_MS),
    "identity.spent_microdollars": lambda s: s.state.record.spend.cost_microdollars,
    "identity.reserved_microdollars": lambda s: s.cluster.reserved_microdollars,
    "identity.paid_microdollars": lambda s: s.state.record.credits.paid_microdollars,
    "identity.granted_microdollars": lambda s: said.granted_microdollars(s.state.record, s.ended),
    "identity.payment_age_days": _payment_age_days,
    "identity.pass_streak_months": _streak_months,
    "identity.disputes": lambda s: said.disputes(s.state.record),
    "identity.fraud_warnings": lambda s: said.fraud_warnings(s.state.record),
    "identity.declined_charges": lambda s: said.declined_charges(s.state.record),
    "device.action": lambda s: str(_profile(s, "stytch_verdict_action") or "").upper(),
    "device.is_forged": _is_forged,
    "device.users": lambda s: s.cluster.device_users,
    "card.users": lambda s: s.cluster.card_users,
    "mailbox.users": lambda s: s.cluster.mailbox_users,
    "cluster.size": lambda s: len(s.cluster.members),
    "cluster.blocked": lambda s: s.cluster.blocked,
    "cluster.left_out": lambda s: s.cluster.left_out,
    "cluster.spent_microdollars": lambda s: s.cluster.spent_microdollars,
    "cluster.disputes": lambda s: s.cluster.disputes,
    "cluster.age_days": lambda s: max(0.0, (s.at_ms - s.cluster.since_ms) / _DAY_MS),
    "cluster.unpaid_microdollars": lambda s: s.cluster.unpaid_microdollars,
    "request.model": lambda s: (s.request.requested_model or s.request.model or "").lower(),
    "request.max_tokens": lambda s: s.request.max_tokens or 0,
    "request.has_tools": lambda s: s.request.has_tools is True,
    "request.has_editor": lambda s: bool(s.request.editor_name),
    "request.is_byok": lambda s: s.request.is_byok is True or s.request.is_user_byok is True,
    "request.network_days": lambda s: _days_known(s, EntityKind.NETWORK),
    "request.ja4_days": lambda s: _days_known(s, EntityKind.JA4),
    "request.is_hosting": lambda s: s.facts.is_hosting,
    "request.is_library_agent": lambda s: s.facts.is_library_agent,
    "request.is_crawler": lambda s: s.facts.is_crawler,
    "request.agent_family": lambda s: s.facts.agent_family,
    "request.network_kind": lambda s: s.facts.network_kind,
    "request.is_anonymizer": lambda s: s.facts.network_kind == "anonymizer",
    "request.is_mobile_network": lambda s: s.facts.network_kind == "mobile",
    "request.is_private_address": lambda s: s.facts.network_kind == "private",
    "request.country": lambda s: s.facts.country,
}
"""A reader for each fact of the vocabulary; a test holds the two equal."""
