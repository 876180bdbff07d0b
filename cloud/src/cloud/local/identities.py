"""What the identity provider on this machine remembers: who consented to what, and the keys that it signs with."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

Json = dict[str, Any]

CODE_SECONDS = 60
TOKEN_SECONDS = 3_600


def new_key() -> RSAKey:
    key: RSAKey = RSAKey.generate_key(2048, auto_kid=True)
    return key


FIRST_KEY = new_key()
"""One for the whole process: making a key takes a while."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """A program that may send people here, and where they are sent back to."""

    client_id: str
    client_secret: str
    redirect_prefix: str

    def is_own_address(self, redirect_uri: str) -> bool:
        """Say whether a code may be sent there: a code that went elsewhere would let others in."""
        return redirect_uri.startswith(self.redirect_prefix)


@dataclass(frozen=True, kw_only=True)
class Account:
    """What the person said of himself on the sign-in page."""

    email: str
    is_verified: bool = True
    hosted_domain: str = ""

    @property
    def number(self) -> int:
        """The provider's id: the same for the same address."""
        return int.from_bytes(sha256(self.email.lower().encode()).digest()[:6])

    @property
    def login(self) -> str:
        return self.email.partition("@")[0]


@dataclass(frozen=True, kw_only=True)
class Grant:
    """One consent, waiting behind a code or a token."""

    brand: str
    client_id: str
    redirect_uri: str
    code_challenge: str
    nonce: str
    account: Account
    expires_at: float


@dataclass(kw_only=True)
class IdentityProvider:
    """The provider's memory; what a dishonest or broken one would do can be set while it runs."""

    client: Client
    clock: Callable[[], float] = time.time
    codes: dict[str, Grant] = field(default_factory=dict)
    tokens: dict[str, Grant] = field(default_factory=dict)
    keys: list[RSAKey] = field(default_factory=lambda: [FIRST_KEY])
    """The last one signs; all are published."""
    forged_claims: Json = field(default_factory=dict)
    """Claims that its ID tokens state instead of the true ones."""
    forged_key: RSAKey | None = None
    """Signs instead of the published keys."""

    def rotate_key(self) -> None:
        """Sign with a new key from now on, and publish that one only."""
        self.keys = [new_key()]

    def behave(self) -> None:
        """Be honest again."""
        self.forged_claims, self.forged_key = {}, None


def claims_of(grant: Grant) -> Json:
    account = grant.account
    claims: Json = {"sub": str(account.number), "email": account.email, "email_verified": account.is_verified}
    if grant.brand == "google" and account.hosted_domain:
        claims["hd"] = account.hosted_domain
    return claims


def signed_id_token(provider: IdentityProvider, issuer: str, grant: Grant) -> str:
    now = int(provider.clock())
    times = {"iat": now, "exp": now + TOKEN_SECONDS}
    claims = {"iss": issuer, "aud": grant.client_id, "nonce": grant.nonce} | times | claims_of(grant)
    key = provider.forged_key or provider.keys[-1]
    header = {"alg": "RS256", "kid": provider.keys[-1].kid}
    return str(jwt.encode(header, claims | provider.forged_claims, key))
