"""The facts, beside features, thresholds and lists, that a rule may read. One list for engine and documentation."""

from abuse_service.cel.program import Kind

FACTS: dict[str, tuple[Kind, str]] = {
    "identity.is_anonymous": (Kind.BOOL, "known by its fingerprint only"),
    "identity.is_blocked": (Kind.BOOL, "blocked by the cloud"),
    "identity.is_deleted": (Kind.BOOL, "the account was deleted"),
    "identity.was_unblocked": (
        Kind.BOOL,
        "a block was lifted, by the cloud or in the list `blocked`, and none is in force: an exception",
    ),
    "identity.is_trusted": (Kind.BOOL, "in the list `trusted`, or a declared bot or admin"),
    "identity.is_paying": (
        Kind.BOOL,
        "paid by Stripe, has 10 USD of credits, an active pass or a paid plan",
    ),
    "identity.is_on_paid_plan": (Kind.BOOL, "member of an organization on a paid plan that is not in trial"),
    "identity.has_sso": (Kind.BOOL, "member of an organization that signs in by SSO"),
    "identity.age_days": (Kind.DOUBLE, "since the account was created, or first seen"),
    "identity.auth_providers": (Kind.INT, "distinct sign-in providers"),
    "identity.mailbox_digits": (Kind.INT, "digits in the mailbox's name"),
    "identity.mailbox_dots": (Kind.INT, "dots in the address that the provider ignores, as in a.d.a@gmail.com"),
    "identity.mailbox_is_tagged": (Kind.BOOL, "an address was a tagged one of its mailbox, as in ada+shop@example.com"),
    "identity.is_disposable_email": (Kind.BOOL, "the mail domain is a known disposable one"),
    "identity.is_free_email": (Kind.BOOL, "anybody gets a mailbox at the newest address's domain for nothing"),
    "identity.has_lookalike_email": (
        Kind.BOOL,
        "an address can be misread as a well-known provider's, or mixes scripts within a word",
    ),
    "identity.travel_kmh": (
        Kind.DOUBLE,
        "fastest way between places within a day, 200 km and a minute granted; not over hosting or anonymizers",
    ),
    "identity.countries_1h": (Kind.INT, "countries within an hour, counted as travel is"),
    "identity.countries_24h": (Kind.INT, "countries within a day, counted as travel is"),
    "identity.spent_microdollars": (Kind.INT, "reported cost for life"),
    "identity.reserved_microdollars": (Kind.INT, "promised to requests that are let through and not reported yet"),
    "identity.paid_microdollars": (Kind.INT, "credits bought for life"),
    "identity.granted_microdollars": (
        Kind.INT,
        "credits given for life: those called free, and without a payment those of which nobody says so",
    ),
    "identity.payment_age_days": (Kind.DOUBLE, "since the first payment, 0 without one"),
    "identity.pass_streak_months": (Kind.INT, "months in a row with an active pass"),
    "identity.disputes": (Kind.INT, "disputed charges"),
    "identity.fraud_warnings": (Kind.INT, "early fraud warnings"),
    "identity.declined_charges": (Kind.INT, "declined charges, insufficient funds and outages left out"),
    "device.action": (Kind.STRING, "verdict of the device check, upper case, empty when not checked"),
    "device.is_forged": (Kind.BOOL, "the device check said: not authentic"),
    "device.users": (Kind.INT, "accounts seen on this account's busiest device"),
    "card.users": (Kind.INT, "accounts seen with this account's busiest card"),
    "mailbox.users": (Kind.INT, "accounts with this account's mailbox, however the address is written"),
    "cluster.size": (Kind.INT, "accounts within two strong links, this one included"),
    "cluster.blocked": (Kind.INT, "blocked accounts one strong link away"),
    "cluster.left_out": (Kind.INT, "accounts that were reached and not counted: a cluster has 256 at most"),
    "cluster.spent_microdollars": (Kind.INT, "reported cost of the cluster's accounts for life"),
    "cluster.disputes": (Kind.INT, "disputed charges of the cluster's accounts"),
    "cluster.age_days": (Kind.DOUBLE, "since the first of the cluster's accounts was first seen"),
    "cluster.unpaid_microdollars": (
        Kind.INT,
        "cost of the cluster's accounts that never paid, with what is reserved for them",
    ),
    "request.model": (Kind.STRING, "requested model, lower case"),
    "request.max_tokens": (Kind.INT, "ceiling for generated tokens, 0 when not given"),
    "request.has_tools": (Kind.BOOL, "the request offers tools"),
    "request.has_editor": (Kind.BOOL, "the request names an editor"),
    "request.is_byok": (Kind.BOOL, "runs on the caller's own key"),
    "request.network_days": (Kind.DOUBLE, "since the identity was first seen in the request's network"),
    "request.ja4_days": (Kind.DOUBLE, "since the identity was first seen with the request's JA4 digest"),
    "request.is_hosting": (Kind.BOOL, "the address belongs to a hosting provider; at sign-in, that one's"),
    "request.is_library_agent": (Kind.BOOL, "the agent is a library's default"),
    "request.is_crawler": (Kind.BOOL, "the agent is a known crawler, scanner or steered browser; no coding agent"),
    "request.agent_family": (Kind.STRING, "the browser's or tool's name, empty when it is no known one"),
    "request.network_kind": (
        Kind.STRING,
        "`anonymizer`, `hosting`, `mobile` or `private`, the one that says most, empty for none of them",
    ),
    "request.is_anonymizer": (Kind.BOOL, "the address belongs to a VPN, a proxy or Tor, says a file or the edge"),
    "request.is_mobile_network": (Kind.BOOL, "the address is a mobile carrier's, as an operator's file says"),
    "request.is_private_address": (Kind.BOOL, "the address is none of the public internet"),
    "request.country": (Kind.STRING, "where the address is, ISO 3166-1 alpha-2, empty when unknown"),
}
"""Name, type and meaning."""

COSTS = {
    "identity.is_paying": 4,
    "identity.is_on_paid_plan": 3,
    "identity.has_sso": 3,
    "identity.granted_microdollars": 5,
    "identity.payment_age_days": 5,
    "identity.age_days": 5,
    "identity.travel_kmh": 8,
    "identity.countries_1h": 8,
    "identity.countries_24h": 8,
}
"""Facts that cost more to read than a field, in reads of one field; other facts cost 1, features 10 to 50."""

OWN_LISTS = {
    "trusted": "stands in the list of those whom no rule touches",
    "blocked": "stands in the list of those who are not served",
    "unblocked": "an entry of this identity in `blocked` was taken back: an exception",
}
"""Lists that always exist. A rule reads each list as ``listed.NAME``: whether the subject of the decision is in it."""

REQUIRED_FEATURES = ("requests_1m", "spend_1h_microdollars")
"""Features that every policy declares, since each answer's context carries them."""
