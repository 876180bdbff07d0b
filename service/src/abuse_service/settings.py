"""Every setting of the service, in one list that feeds code, docs and ``abuse-service config show``."""

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from abuse_service.errors import RefusedToStart

Scope = Literal["write", "read", "records", "admin", "import"]

OWN_SOURCE = "service"
"""The source of events that the service itself makes."""

ALL_SCOPES: frozenset[Scope] = frozenset({"write", "read", "records", "admin", "import"})


class Token(BaseModel, frozen=True):
    """A service token: what the two Cloudflare Access headers must say, and what its holder may do."""

    id: str = Field(min_length=1, description="Value of CF-Access-Client-Id.")
    secret: SecretStr = Field(min_length=8, description="Value of CF-Access-Client-Secret.")
    source: str = Field(
        default="cloud", min_length=1, description="The sender's name: scopes event ids and marks its events."
    )
    scopes: frozenset[Scope] = Field(
        default=frozenset({"write", "read"}),
        description="write: the four endpoints; read: metrics, policy, lists; records: persons' records and what "
        "names them; admin: changes, and who read what; import: old times.",
    )

    @field_validator("source")
    @classmethod
    def refuse_own_source(cls, source: str) -> str:
        """No sender may speak as the service itself."""
        if source == OWN_SOURCE:
            raise ValueError(f"{OWN_SOURCE} is the service's own source, choose another name")
        return source


class Settings(BaseSettings):
    """Where the service listens, what it keeps and how much, each also an environment variable ``ABUSE_…``."""

    model_config = SettingsConfigDict(env_prefix="ABUSE_", frozen=True, extra="ignore")

    host: str = Field(default="127.0.0.1", description="Address to listen on; any other than loopback needs tokens.")
    port: int = Field(default=8787, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    data: Path = Field(default=Path("abuse-data"), description="Directory that holds everything the service keeps.")
    key_file: Path | None = Field(
        default=None,
        description="File with the key of all hashes, apart from the data; without it, one beside the directory.",
    )
    tokens: tuple[Token, ...] = Field(default=(), description="Service tokens, as a JSON list.")
    policy: Path | None = Field(
        default=None, description="Policy: a file, or a folder of them; without it the one that ships."
    )
    enforce: bool = Field(default=True, description="False turns all enforcement off, whatever the switch says.")
    trusted_proxies: int = Field(
        default=0, ge=0, le=16, description="Own proxies that append to x-forwarded-for; the client stands before them."
    )
    hosting_networks: Path | None = Field(
        default=None, description="File of hosting networks, a CIDR a line, in place of the bundled one."
    )
    network_files: tuple[Path, ...] = Field(
        default=(),
        description="Own files about networks, a JSON list: MaxMind databases (.mmdb), or CSV with network and kind.",
    )
    hot_identities: int = Field(default=200_000, ge=100, description="Entities held in memory; the others on disk.")
    live_states: int = Field(
        default=20_000,
        ge=100,
        description="Of those, the states held ready for use.",
    )
    snapshot_events: int = Field(default=100_000, ge=100, description="Events folded between two snapshots, at most.")
    snapshot_seconds: float = Field(default=60.0, gt=0, description="Seconds between two snapshots, at most.")
    pending_days: float = Field(
        default=30.0, gt=0, description="Days that a Stripe event may wait for its user before it is noted as expired."
    )
    retention_days: float | None = Field(
        default=None,
        gt=0,
        description="Days after which events leave the log; records keep what they said. Without it nothing leaves.",
    )
    erase_tokens: bool = Field(
        default=False,
        description="True: an erasure leaves no hashes either. Links and counts of others then change at a rebuild.",
    )
    classify_wait_for_disk: bool = Field(default=False, description="True: classify answers after its record's commit.")
    waiting_bytes: int = Field(
        default=64 * 2**20, ge=2**20, description="Bytes that wait for the disk before 503 is answered."
    )
    body_bytes: int = Field(
        default=96 * 2**20,
        ge=33 * 2**20,
        description="Bytes of large bodies read at once; more wait their turn.",
    )
    read_seconds: float = Field(
        default=30.0, gt=0, description="Seconds for a request's head to arrive, then its body."
    )
    connections: int = Field(default=4000, ge=1, description="Connections at once; one beyond them is closed.")
    log_format: Literal["text", "json"] = Field(default="text", description="How log lines are written.")

    def require_doors(self) -> None:
        """Refuse to listen beyond this machine without a token. Raises `RefusedToStart`."""
        if not self.tokens and not is_loopback(self.host):
            raise RefusedToStart(
                f"host {self.host} can be reached from other machines, so at least one service token is required; "
                "set ABUSE_TOKENS to a JSON list of objects with id and secret, or listen on 127.0.0.1"
            )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach ``host``."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
