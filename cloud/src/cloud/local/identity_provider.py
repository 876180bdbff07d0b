"""An identity provider on this machine: plays Google and an enterprise's sign-on (OpenID Connect), GitHub and Discord.

Whoever opens the sign-in page says who he is, and no password is asked for: that is what makes it a provider for a
laptop and for tests. All else is as the real ones do it: authorization code with PKCE, a code that works once,
discovery, signed ID tokens with their keys published, GitHub's and Discord's own addresses and answers.
"""

from base64 import b64decode, urlsafe_b64encode
from hashlib import sha256
from html import escape
from secrets import compare_digest, token_urlsafe
from typing import Annotated
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from fastapi import APIRouter, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from joserfc.jwk import KeySet

from cloud.local.identities import CODE_SECONDS, TOKEN_SECONDS, Account, Grant, IdentityProvider, Json, signed_id_token
from cloud.local.identity_apis import Provider
from cloud.local.identity_apis import router as apis

OPENID_BRANDS = ("google", "sso")


def create_identity_provider(provider: IdentityProvider) -> FastAPI:
    """Return the provider's application."""
    app = FastAPI(title="identity provider")
    app.state.provider = provider
    app.include_router(router)
    app.include_router(apis)
    return app


Text = Annotated[str, Form()]
router = APIRouter()


@router.get("/{brand}/.well-known/openid-configuration")
def get_discovery(request: Request, brand: str) -> Json:
    """Tell where everything is."""
    issuer = f"{request.base_url}{brand}"
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }


@router.get("/{brand}/jwks")
def get_keys(provider: Provider, brand: str) -> Json:
    """Publish the keys that ID tokens are signed with."""
    published: Json = dict(KeySet(list(provider.keys)).as_dict(private=False))
    return published


@router.get("/{brand}/authorize")
@router.get("/{brand}/login/oauth/authorize")
@router.get("/{brand}/oauth2/authorize")
def get_sign_in_page(
    provider: Provider, request: Request, brand: str, client_id: str, login_hint: str = ""
) -> Response:
    """Ask the person who he is."""
    if client_id != provider.client.client_id:
        return JSONResponse({"error": "invalid_client"}, 400)
    hidden = "".join(
        f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
        for name, value in request.query_params.items()
    )
    return HTMLResponse(
        f"<!doctype html><html lang=en><title>Sign in with {escape(brand)}</title><h1>Sign in with {escape(brand)}</h1>"
        f'<form method="post">{hidden}'
        f'<p><label>E-mail <input name="email" type="email" value="{escape(login_hint)}" required></label>'
        '<p><label>Workspace domain <input name="hosted_domain"></label>'
        '<p><label><input type="checkbox" name="is_verified" value="true" checked> The address is verified</label>'
        '<p><button name="decision" value="allow">Sign in</button> <button name="decision" value="deny">Cancel</button>'
        "</form></html>"
    )


@router.post("/{brand}/authorize")
@router.post("/{brand}/login/oauth/authorize")
@router.post("/{brand}/oauth2/authorize")
def post_consent(
    provider: Provider,
    brand: str,
    client_id: Text,
    redirect_uri: Text,
    state: Text,
    code_challenge: Text,
    email: Text,
    nonce: Text = "",
    hosted_domain: Text = "",
    is_verified: Annotated[bool, Form()] = False,
    decision: Text = "allow",
) -> Response:
    """Send the person back with a code, or with his refusal."""
    if client_id != provider.client.client_id or not provider.client.is_own_address(redirect_uri):
        return JSONResponse({"error": "invalid_client"}, 400)
    if decision != "allow":
        return send_back(redirect_uri, error="access_denied", state=state)
    code = token_urlsafe(24)
    provider.codes[code] = Grant(
        brand=brand,
        client_id=client_id,
        redirect_uri=redirect_uri,
        code_challenge=code_challenge,
        nonce=nonce,
        account=Account(email=email, is_verified=is_verified, hosted_domain=hosted_domain),
        expires_at=provider.clock() + CODE_SECONDS,
    )
    return send_back(redirect_uri, code=code, state=state)


@router.post("/{brand}/token")
@router.post("/{brand}/login/oauth/access_token")
@router.post("/{brand}/api/oauth2/token")
async def post_token(provider: Provider, request: Request, brand: str) -> Response:
    """Give a token for a code: once, to the client that it was meant for, with the verifier of its challenge."""
    form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
    if not is_client(provider, request, form):
        return refuse(brand, "invalid_client", 401)
    grant = provider.codes.pop(form.get("code", ""), None)
    challenge = urlsafe_b64encode(sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
    is_meant = (
        grant is not None
        and grant.brand == brand
        and grant.redirect_uri == form.get("redirect_uri")
        and compare_digest(grant.code_challenge, challenge)
        and grant.expires_at > provider.clock()
    )
    if grant is None or not is_meant:
        return refuse(brand, "bad_verification_code" if brand == "github" else "invalid_grant", 400)
    access_token = token_urlsafe(24)
    provider.tokens[access_token] = grant
    answer: Json = {"access_token": access_token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS}
    if brand in OPENID_BRANDS:
        answer["id_token"] = signed_id_token(provider, f"{request.base_url}{brand}", grant)
    return JSONResponse(answer)


def is_client(provider: IdentityProvider, request: Request, form: dict[str, str]) -> bool:
    """Say whether the request proves, in its header or its form, that the client sends it."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        client_id, _, client_secret = (unquote(part) for part in b64decode(secret).decode().partition(":"))
    else:
        client_id, client_secret = form.get("client_id", ""), form.get("client_secret", "")
    expected = provider.client
    return client_id == expected.client_id and compare_digest(client_secret, expected.client_secret)


def refuse(brand: str, code: str, status: int) -> Response:
    # GitHub refuses a code with 200 and the error in the body.
    return JSONResponse({"error": code}, 200 if brand == "github" else status)


def send_back(redirect_uri: str, **answer: str) -> Response:
    joint = "&" if urlsplit(redirect_uri).query else "?"
    return RedirectResponse(f"{redirect_uri}{joint}{urlencode(answer)}", status_code=303)
