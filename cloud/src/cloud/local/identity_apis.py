"""What providers tell a program that shows a token: OpenID's userinfo, GitHub's and Discord's own addresses."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse, Response

from cloud.local.identities import Grant, IdentityProvider, claims_of


def provider_of(request: Request) -> IdentityProvider:
    found: IdentityProvider = request.app.state.provider
    return found


Provider = Annotated[IdentityProvider, Depends(provider_of)]
router = APIRouter()


@router.get("/{brand}/userinfo")
def get_userinfo(provider: Provider, request: Request, brand: str) -> Response:
    """Tell OpenID's claims of the token's person."""
    grant = grant_of(provider, request, brand)
    return JSONResponse({"error": "invalid_token"}, 401) if grant is None else JSONResponse(claims_of(grant))


@router.get("/github/api/user")
def get_github_user(provider: Provider, request: Request) -> Response:
    """Tell GitHub's account of the token's person; the address is shown only where he made it public."""
    grant = grant_of(provider, request, "github")
    if grant is None:
        return JSONResponse({"message": "Bad credentials", "status": "401"}, 401)
    login = grant.account.login
    return JSONResponse(
        {
            "login": login,
            "id": grant.account.number,
            "type": "User",
            "html_url": f"https://github.example.com/{login}",
            "email": None,
        }
    )


@router.get("/github/api/user/emails")
def get_github_emails(provider: Provider, request: Request) -> Response:
    """Tell all addresses of the token's person, the primary one among them."""
    grant = grant_of(provider, request, "github")
    if grant is None:
        return JSONResponse({"message": "Bad credentials", "status": "401"}, 401)
    account = grant.account
    hidden = f"{account.number}+{account.login}@users.noreply.github.example.com"
    return JSONResponse(
        [
            {"email": hidden, "primary": False, "verified": True, "visibility": None},
            {"email": account.email, "primary": True, "verified": account.is_verified, "visibility": "private"},
        ]
    )


@router.get("/discord/api/users/@me")
def get_discord_user(provider: Provider, request: Request) -> Response:
    """Tell Discord's account of the token's person."""
    grant = grant_of(provider, request, "discord")
    if grant is None:
        return JSONResponse({"message": "401: Unauthorized", "code": 0}, 401)
    return JSONResponse({"id": str(grant.account.number), "username": grant.account.login, "global_name": None})


def grant_of(provider: IdentityProvider, request: Request, brand: str) -> Grant | None:
    _, _, token = request.headers.get("authorization", "").partition(" ")
    grant = provider.tokens.get(token)
    return grant if grant is not None and grant.brand == brand else None
