"""Who somebody is elsewhere: the providers of the settings, spoken to through Authlib.

Google and enterprise sign-on are OpenID Connect; GitHub and Discord are OAuth 2.0 with an API of their own beside it.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2
from authlib.integrations.starlette_client import OAuth, OAuthError
from joserfc.errors import JoseError
from pydantic import SecretStr

from cloud.errors import NotFound, ProviderUnavailable, SignInRefused
from cloud.settings import Settings

logger = logging.getLogger(__name__)

GOOGLE, GITHUB, DISCORD, SSO = "google", "github", "discord", "sso"
PERSONAL_GOOGLE = "@@personal@@"
GITHUB_ACCOUNT = "@@github@@"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a provider says of the person who has just signed in there."""

    provider: str
    subject: str
    """The provider's id of the person: stays when name and address change."""
    email: str | None = None
    email_is_verified: bool = False
    hosted_domain: str | None = None
    """The workspace that the provider vouches for, or a marker such as `@@github@@`, which is no domain."""
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Departure:
    """Where a browser is sent, and what only this side knows when it comes back."""

    url: str
    state: str
    code_verifier: str
    nonce: str | None


class Provider(Protocol):
    """One provider's way of saying who somebody is."""

    signs_in: bool
    """Whether it opens accounts; Discord only verifies a profile."""

    def __init__(self, name: str, client: Any) -> None: ...

    async def read_profile(self, token: Json, nonce: str | None) -> Profile: ...


class OpenIdProvider:
    """Enterprise sign-on: a signed ID token, meant for us, for this very sign-in."""

    signs_in = True

    def __init__(self, name: str, client: Any) -> None:
        self._name = name
        self._client = client

    async def read_profile(self, token: Json, nonce: str | None) -> Profile:
        metadata = await self._client.load_server_metadata()
        expected = {
            "iss": {"essential": True, "value": metadata["issuer"]},
            "aud": {"essential": True, "value": self._client.client_id},
        }
        if "id_token" not in token or not nonce:
            raise SignInRefused
        claims = await self._client.parse_id_token(token, nonce=nonce, claims_options=expected)
        return Profile(
            provider=self._name,
            subject=claims["sub"],
            email=claims.get("email"),
            email_is_verified=claims.get("email_verified") is True,
            hosted_domain=self.hosted_domain(claims),
        )

    def hosted_domain(self, claims: Mapping[str, Any]) -> str | None:
        return None


class GoogleProvider(OpenIdProvider):
    """Google: the claim `hd` names the Workspace, an account without one is personal."""

    def hosted_domain(self, claims: Mapping[str, Any]) -> str | None:
        return claims.get("hd") or PERSONAL_GOOGLE


class GitHubProvider:
    """GitHub: no OpenID; the account and its addresses are read from its API."""

    signs_in = True

    def __init__(self, name: str, client: Any) -> None:
        self._name = name
        self._client = client

    async def read_profile(self, token: Json, nonce: str | None) -> Profile:
        account = await fetch(self._client, "user", token)
        addresses = await fetch(self._client, "user/emails", token)
        primary: Json = next((address for address in addresses if address["primary"]), {})
        return Profile(
            provider=self._name,
            subject=str(account["id"]),
            email=primary.get("email"),
            email_is_verified=primary.get("verified") is True,
            hosted_domain=GITHUB_ACCOUNT,
            url=account["html_url"],
        )


class DiscordProvider:
    """Discord: says which account somebody holds there, and opens none here."""

    signs_in = False

    def __init__(self, name: str, client: Any) -> None:
        self._name = name
        self._client = client

    async def read_profile(self, token: Json, nonce: str | None) -> Profile:
        account = await fetch(self._client, "users/@me", token)
        return Profile(provider=self._name, subject=str(account["id"]))


class Providers:
    """The providers that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._registry = OAuth()
        self._providers: dict[str, Provider] = {}
        self._timeout_seconds = settings.provider_timeout_seconds
        google, github, discord = settings.google_issuer, settings.github_url, settings.discord_url
        self._add(
            GOOGLE,
            GoogleProvider,
            settings.google_client_id,
            settings.google_client_secret,
            scope="openid email profile",
            server_metadata_url=discovery(google),
        )
        self._add(
            SSO,
            OpenIdProvider,
            settings.sso_client_id,
            settings.sso_client_secret,
            scope="openid email profile",
            server_metadata_url=discovery(settings.sso_issuer or ""),
        )
        self._add(
            GITHUB,
            GitHubProvider,
            settings.github_client_id,
            settings.github_client_secret,
            scope="read:user user:email",
            authorize_url=f"{github}/login/oauth/authorize",
            access_token_url=f"{github}/login/oauth/access_token",
            api_base_url=f"{settings.github_api_url}/",
        )
        self._add(
            DISCORD,
            DiscordProvider,
            settings.discord_client_id,
            settings.discord_client_secret,
            scope="identify",
            authorize_url=f"{discord}/oauth2/authorize",
            access_token_url=f"{discord}/api/oauth2/token",
            api_base_url=f"{discord}/api/",
        )

    def _add(
        self,
        name: str,
        kind: type[Provider],
        client_id: str | None,
        client_secret: SecretStr | None,
        *,
        scope: str,
        **addresses: str,
    ) -> None:
        if client_id is None or client_secret is None:
            return
        client = self._registry.register(
            name,
            client_id=client_id,
            client_secret=client_secret.get_secret_value(),
            client_kwargs={"scope": scope, "code_challenge_method": "S256", "timeout": self._timeout_seconds},
            **addresses,
        )
        self._providers[name] = kind(name, client)

    def names(self) -> list[str]:
        """Return the names of the configured providers."""
        return list(self._providers)

    def find(self, name: str) -> Provider:
        """Return the provider, or raise `NotFound` when the settings name none of that name."""
        if name not in self._providers:
            raise NotFound("found no such provider")
        return self._providers[name]

    async def depart(self, name: str, redirect_uri: str, **hints: str) -> Departure:
        """Return the address at which the person says who he is, with a state, a nonce and a PKCE challenge."""
        self.find(name)
        try:
            made = await self._registry.create_client(name).create_authorization_url(redirect_uri, **hints)
        except (httpx2.HTTPError, ValueError, KeyError, RuntimeError) as error:
            raise unavailable(name, error) from None
        return Departure(
            url=made["url"], state=made["state"], code_verifier=made["code_verifier"], nonce=made.get("nonce")
        )

    async def arrive(
        self, name: str, redirect_uri: str, *, code: str, code_verifier: str, nonce: str | None
    ) -> Profile:
        """Exchange the code and return whom the provider confirms; raise `SignInRefused` when it confirms nobody."""
        provider = self.find(name)
        client = self._registry.create_client(name)
        try:
            token = await client.fetch_access_token(redirect_uri, code=code, code_verifier=code_verifier)
            return await provider.read_profile(token, nonce)
        except (OAuthError, JoseError) as error:
            # The class alone: a provider's description may hold what the person typed there.
            logger.warning("a sign-in by %s was refused: %s", name, type(error).__name__)
            raise SignInRefused from None
        except (httpx2.HTTPError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise unavailable(name, error) from None


async def fetch(client: Any, path: str, token: Json) -> Any:
    answer = await client.get(path, token=token)
    answer.raise_for_status()
    return answer.json()


def discovery(issuer: str) -> str:
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def unavailable(name: str, error: Exception) -> ProviderUnavailable:
    logger.warning("the provider %s did not answer as it should: %s", name, type(error).__name__)
    return ProviderUnavailable()
