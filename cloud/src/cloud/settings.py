"""Every setting of the cloud, read from `CLOUD_…` variables or given as arguments."""

import enum

from pydantic import BaseModel, Field, IPvAnyNetwork, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class Edge(enum.StrEnum):
    """Whose headers carry the network facts."""

    NONE = "none"
    VERCEL = "vercel"
    CLOUDFLARE = "cloudflare"


class UpstreamSettings(BaseModel, frozen=True):
    """Where a provider answers, and our key there."""

    url: str
    key: SecretStr | None = None


class Settings(BaseSettings):
    """What the operator decides. Nothing here is guessed from a request."""

    model_config = SettingsConfigDict(env_prefix="CLOUD_", frozen=True)

    secret_key: SecretStr = Field(description="Signs links and sessions.", min_length=16)
    stripe_webhook_secret: SecretStr = Field(description="Stripe's `whsec_…` for this endpoint.", min_length=1)
    database_url: str = Field(
        default="sqlite:///cloud.db", description="Where the tables live, as SQLAlchemy spells it."
    )
    public_url: str = Field(
        default="http://127.0.0.1:8000", description="The address that links in letters begin with."
    )
    stripe_api_key: SecretStr | None = Field(default=None, description="Absent: nothing can be paid for.")
    stripe_api_url: str | None = Field(default=None, description="Another address of Stripe's API.")

    abuse_url: str | None = Field(default=None, description="The abuse service; absent: the client's own variables.")
    abuse_client_id: str | None = None
    abuse_client_secret: SecretStr | None = None
    classify_deadline_seconds: float = Field(
        default=2.0, gt=0, description="After it the gateway goes on without an answer."
    )
    waits_for_classification: bool = Field(
        default=False,
        description="Whether every request waits for its own answer, not only those of whom an action is in force.",
    )
    send_organization_prompts: bool = Field(
        default=False, description="Whether prompts of organization users are classified."
    )

    upstream_url: str = Field(
        default="http://127.0.0.1:8001/v1", description="What `/chat/completions` and the like are appended to."
    )
    upstream_key: SecretStr | None = None
    upstreams: dict[str, UpstreamSettings] = Field(
        default={},
        description="Other addresses: of a provider (`acme`), or of one API of it (`acme/messages`), as JSON.",
    )
    upstream_timeout_seconds: float = Field(default=120.0, gt=0)
    quarantine_1_seconds: float = Field(default=2.0, ge=0)
    quarantine_2_seconds: float = Field(default=6.0, ge=0)
    quarantine_3_seconds: float = Field(default=6.0, ge=0)
    rate_limit_seconds: int = Field(default=60, gt=0, description="`Retry-After` where the answer names none.")

    edge: Edge = Field(default=Edge.NONE, description="Whose headers carry network facts.")
    trusted_peers: tuple[IPvAnyNetwork, ...] = Field(default=(), description="Networks whose headers are believed.")
    google_client_id: str | None = Field(default=None, description="Absent: no sign-in by Google.")
    google_client_secret: SecretStr | None = None
    google_issuer: str = Field(default="https://accounts.google.com", description="Where its OpenID discovery begins.")
    github_client_id: str | None = Field(default=None, description="Absent: no sign-in by GitHub.")
    github_client_secret: SecretStr | None = None
    github_url: str = "https://github.com"
    github_api_url: str = "https://api.github.com"
    discord_client_id: str | None = Field(default=None, description="Absent: no Discord account can be verified.")
    discord_client_secret: SecretStr | None = None
    discord_url: str = "https://discord.com"
    sso_client_id: str | None = Field(default=None, description="Absent: no enterprise sign-on.")
    sso_client_secret: SecretStr | None = None
    sso_issuer: str | None = Field(default=None, description="The OpenID broker of the enterprises' sign-on.")
    provider_timeout_seconds: float = Field(default=10.0, gt=0, description="How long a provider may take to answer.")
    sign_in_attempt_seconds: int = Field(default=600, gt=0, description="How long a visit at a provider may take.")

    device_check_url: str | None = Field(default=None, description="Stytch's device fingerprinting; absent: no check.")
    device_check_project_id: str = ""
    device_check_secret: SecretStr = SecretStr("")
    device_check_public_token: str = Field(default="", description="What a browser names itself with at the check.")
    device_check_script_url: str = Field(
        default="https://elements.stytch.com/telemetry.js", description="The script that shows a browser to the check."
    )
    device_check_submit_url: str | None = Field(default=None, description="Where to; absent: where the script knows.")
    device_check_timeout_seconds: float = Field(default=2.0, gt=0, description="After it nothing was checked.")

    admin_emails: tuple[str, ...] = Field(
        default=(), description="Accounts that become administrators when they sign in."
    )
    outbox_is_open: bool = Field(
        default=False, description="Let anybody read the outbox: for a laptop, never for a server."
    )
    email_link_seconds: int = Field(default=900, gt=0, description="How long a link in a letter works.")
    session_seconds: int = Field(default=30 * 86_400, gt=0)
