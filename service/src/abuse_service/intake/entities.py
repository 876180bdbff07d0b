"""Which entities an event names, from its network facts, its e-mail and its ids."""

from abuse_client.contract import ClassifyPayload, identity_key, known_user
from abuse_service.enrichment.enricher import Enriched
from abuse_service.events.entity import EntityKey, EntityKind, EntityNamer
from abuse_service.events.event import Facts
from abuse_service.events.tokens import prompt_bytes

NO_DEVICE = frozenset(
    {"", "unknown", "none", "null", "nil", "undefined", "false", "default", "n/a", "na", "unavailable", "not available"}
)
"""Fingerprints that senders write where there is none: markers never link (decision 5)."""

LONGEST_VALUE = 1024
_SHORTEST_TEMPLATE = 40
"""Bytes: \"You are a helpful assistant.\" is everybody's."""


def name_user(kilo_user_id: str) -> str | None:
    """The identity key of a required user id; ``None`` for blanks.

    An anonymous id is no user's, but nothing else names whom such an event is about, so it stands as it came.
    """
    user = known_user(kilo_user_id)
    if user is None and "anon:" in kilo_user_id:
        user = kilo_user_id.strip()
    return f"user:{user}" if user else None


def name_network(namer: EntityNamer, enriched: Enriched, ja4_digest: str | None) -> list[EntityKey]:
    """The address, the network around it and the JA4 digest."""
    keys = []
    if enriched.address is not None:
        keys.append(namer.key(EntityKind.IP, enriched.address.ip))
        keys.append(namer.key(EntityKind.NETWORK, enriched.address.network))
    if ja4_digest:
        keys.append(namer.key(EntityKind.JA4, ja4_digest[:LONGEST_VALUE]))
    return keys


def name_client(
    namer: EntityNamer, enriched: Enriched, ja4_digest: str | None, user_agent: str | None
) -> list[EntityKey]:
    """The program that somebody signs in with: its agent, and its JA4 digest within the network.

    A digest by itself names a browser's build; on one network it is one of few.
    """
    keys = []
    if enriched.address is not None and ja4_digest:
        keys.append(namer.key(EntityKind.NETWORK_JA4, f"{enriched.address.network} {ja4_digest[:LONGEST_VALUE]}"))
    if user_agent:
        keys.append(namer.key(EntityKind.AGENT, user_agent[:LONGEST_VALUE]))
    return keys


def name_fingerprint(
    namer: EntityNamer, ip_address: str | None, ja4_digest: str | None, user_agent: str | None
) -> list[EntityKey]:
    """The composite of address, JA4 digest and agent that names an anonymous caller, whoever calls.

    None without an address, or with nothing but an address: those say no more than they do by themselves.
    """
    if not ip_address or not (ja4_digest or user_agent):
        return []
    return [namer.key(EntityKind.FINGERPRINT, identity_key(None, ip_address, ja4_digest, user_agent))]


def name_mail(namer: EntityNamer, enriched: Enriched) -> list[EntityKey]:
    """The mailbox where mail arrives and its registrable domain."""
    if enriched.mail is None:
        return []
    return [
        namer.key(EntityKind.MAILBOX, enriched.mail.mailbox),
        namer.key(EntityKind.EMAIL_DOMAIN, enriched.mail.registrable_domain),
    ]


def is_marker(value: str) -> bool:
    """Whether a sender wrote a word for nothing, or one sign over and over, where an id belongs."""
    bare = value.strip()
    return bare.lower() in NO_DEVICE or len(set(bare) - {"-"}) < 2


def name_device(namer: EntityNamer, fingerprint: str | None) -> list[EntityKey]:
    """The device behind a hardware fingerprint; none for a marker, such as a word for nothing or zeros."""
    bare = (fingerprint or "").strip()
    if is_marker(bare):
        return []
    return [namer.key(EntityKind.DEVICE, bare[:LONGEST_VALUE])]


def name_organization(namer: EntityNamer, organization_id: str | None) -> list[EntityKey]:
    """The organization, when there is one."""
    return [namer.key(EntityKind.ORGANIZATION, organization_id[:LONGEST_VALUE])] if organization_id else []


def name_template(namer: EntityNamer, request: ClassifyPayload) -> list[EntityKey]:
    """The system prompt of a request that is somebody's own: an editor's or an agent's is shared by all who use it."""
    token = request.system_prompt
    if request.editor_name or request.has_tools or token is None or prompt_bytes(token) < _SHORTEST_TEMPLATE:
        return []
    return [namer.key(EntityKind.TEMPLATE, token)]


def facts_of(enriched: Enriched) -> Facts:
    """What is stamped into the event, with the version of the data that said it (decision 0011)."""
    mail, agent, place = enriched.mail, enriched.agent, enriched.place
    return Facts(
        is_hosting=enriched.network.is_hosting,
        is_disposable_email=mail is not None and mail.is_disposable,
        is_library_agent=agent.is_library,
        mailbox_digits=mail.digits if mail else 0,
        version=enriched.version,
        is_free_email=mail is not None and mail.is_free,
        mailbox_is_tagged=mail is not None and mail.is_tagged,
        mailbox_dots=mail.dots if mail else 0,
        is_lookalike_email=mail is not None and mail.is_lookalike,
        network_kind=enriched.network.kind,
        country=place.country,
        latitude=place.latitude,
        longitude=place.longitude,
        is_crawler=agent.is_crawler,
        agent_family=agent.family,
    )
