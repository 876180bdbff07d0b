"""``POST /api/auth-event``: sign-ups and sign-ins with identity metadata. Source: CONTRACT, section "auth-event"."""

import enum
from typing import Annotated

from msgspec import Meta

from abuse_client.contract.classify import Verdict
from abuse_client.contract.fields import EpochMs, EventId, RequestId, Text
from abuse_client.contract.wire import Wire


class AuthEventType(enum.StrEnum):
    """Whether the account is new."""

    SIGNUP = "signup"
    SIGNIN = "signin"


class OrgMembership(Wire, frozen=True, kw_only=True):
    """One membership as the cloud read it: a snapshot that fills gaps; the ``org.*`` events own the state."""

    organization_id: Annotated[str, Meta(min_length=1, max_length=1024, description="The organization.")]
    role: Annotated[Text | None, Meta(description="Role in it, an open set.")] = None
    plan: Annotated[Text | None, Meta(description="Plan of the organization, an open set.")] = None
    has_sso: Annotated[bool | None, Meta(description="Whether the organization signs in by SSO.")] = None
    in_free_trial: Annotated[bool | None, Meta(description="Whether the organization is in its free trial.")] = None


class AuthEventPayload(Wire, frozen=True, kw_only=True):
    """One sign-up or sign-in. A field that is absent, null or an empty list says nothing and erases nothing."""

    kilo_user_id: Annotated[str, Meta(min_length=1, max_length=1024, description="The user.")]
    event_type: Annotated[AuthEventType, Meta(description="`signup` or `signin`.")]
    email: Annotated[str, Meta(min_length=1, max_length=1024, description="The account's address. Personal.")]
    account_created_at: Annotated[Text | None, Meta(description="ISO 8601 or a database's text.")] = None
    ip_address: Annotated[Text | None, Meta(description="The current address: raw header value. Personal.")] = None
    geo_city: Annotated[Text | None, Meta(description="City of the current address.")] = None
    geo_country: Annotated[Text | None, Meta(description="Country of it, ISO 3166-1 alpha-2.")] = None
    ja4_digest: Annotated[Text | None, Meta(description="JA4 digest of the current connection.")] = None
    user_agent: Annotated[Text | None, Meta(description="The User-Agent header.")] = None
    auth_method: Annotated[Text | None, Meta(description="The provider used now, an open set.")] = None
    stytch_session_id: Annotated[Text | None, Meta(description="Session of the device check.")] = None
    hosted_domain: Annotated[
        Text | None, Meta(description="Workspace domain; a marker such as `@@github@@` is no domain.")
    ] = None
    signup_ip: Annotated[Text | None, Meta(description="Address at sign-up, a stable snapshot. Personal.")] = None
    signup_ja4_digest: Annotated[Text | None, Meta(description="JA4 digest at sign-up, a stable snapshot.")] = None
    signup_geo_country: Annotated[Text | None, Meta(description="Country at sign-up, a stable snapshot.")] = None
    customer_source: Annotated[Text | None, Meta(description="Product or campaign that brought the user in.")] = None
    is_bot: Annotated[bool | None, Meta(description="Whether the account is a declared bot.")] = None
    is_admin: Annotated[bool | None, Meta(description="Whether the account administers the cloud.")] = None
    is_blocked: Annotated[bool | None, Meta(description="Snapshot; `user.blocked` and `user.unblocked` own it.")] = None
    completed_welcome_form: Annotated[bool | None, Meta(description="Whether the welcome form was completed.")] = None
    has_linkedin_url: Annotated[bool | None, Meta(description="Whether a LinkedIn profile is linked.")] = None
    has_github_url: Annotated[bool | None, Meta(description="Whether a GitHub profile is linked.")] = None
    has_discord_verified: Annotated[bool | None, Meta(description="Whether a Discord account is verified.")] = None
    cohorts: Annotated[list[str] | None, Meta(description="Names of the cohorts the user is in.")] = None
    has_validation_stytch: Annotated[bool | None, Meta(description="Whether the device check passed.")] = None
    has_validation_novel_card_with_hold: Annotated[
        bool | None, Meta(description="Whether a hold on a card new to us succeeded.")
    ] = None
    stytch_verdict_action: Annotated[Text | None, Meta(description="`ALLOW`, `CHALLENGE` or `BLOCK`, open.")] = None
    stytch_is_authentic_device: Annotated[bool | None, Meta(description="Null: not checked.")] = None
    stytch_device_type: Annotated[Text | None, Meta(description="Kind of device, an open set.")] = None
    stytch_hardware_fingerprint: Annotated[Text | None, Meta(description="Fingerprint of the hardware.")] = None
    auth_providers: Annotated[list[str] | None, Meta(description="Distinct providers linked to the user.")] = None
    org_memberships: Annotated[list[OrgMembership] | None, Meta(description="Snapshot of the memberships.")] = None
    event_id: Annotated[EventId | None, Meta(description="The sender's own id of this event. Added by us.")] = None
    occurred_at: Annotated[EpochMs | None, Meta(description="Epoch milliseconds; absent: receipt. Added by us.")] = None
    stripe_customer_id: Annotated[Text | None, Meta(description="The user's Stripe customer. Added by us.")] = None


class AuthEventAnswer(Wire, frozen=True, kw_only=True):
    """The answer of ``/api/auth-event``."""

    success: Annotated[bool, Meta(description="Whether the event was taken.")]
    identity_key: Annotated[str, Meta(description="`user:` and the user's id.")]
    verdict: Annotated[Verdict, Meta(description="What the policy says of the account now.")]
    signals: Annotated[list[str], Meta(description="Names of the signals raised.")]
    risk_score: Annotated[float, Meta(ge=0, le=1, description="0.0 harmless to 1.0 certain.")]
    request_id: Annotated[
        RequestId | None, Meta(description="Id of the recorded decision, for `explain`. Null: none was made.")
    ] = None
    is_enforced: Annotated[
        bool | None,
        Meta(description="False: enforcement is switched off, so the verdict is ALLOW. Absent: it is on. Added by us."),
    ] = None
