"""What an e-mail address says by itself."""

import functools

import msgspec
import tldextract
from disposable_email_domains import blocklist

# Only the list that ships with the package: nothing is fetched.
_extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

_DOTLESS = frozenset({"gmail.com", "googlemail.com"})
_SAME_DOMAIN = {"googlemail.com": "gmail.com"}


class Mail(msgspec.Struct, frozen=True):
    """An address taken apart. ``mailbox`` is where mail really arrives: lower case, tags and ignored dots removed."""

    mailbox: str
    domain: str
    registrable_domain: str
    is_disposable: bool
    digits: int


@functools.lru_cache(maxsize=5_000)
def read_mail(address: str) -> Mail | None:
    """The address taken apart, or ``None`` when it is none."""
    local, at, domain = address.strip().lower().rpartition("@")
    if not (local and at and domain):
        return None
    domain = _SAME_DOMAIN.get(domain, domain)
    base = local.split("+", 1)[0] or local
    if domain in _DOTLESS:
        base = base.replace(".", "") or base
    registrable = _registrable(domain)
    return Mail(
        mailbox=f"{base}@{domain}",
        domain=domain,
        registrable_domain=registrable,
        is_disposable=domain in blocklist or registrable in blocklist,
        digits=sum(character.isdigit() for character in base),
    )


@functools.lru_cache(maxsize=5_000)
def _registrable(domain: str) -> str:
    return _extract(domain).top_domain_under_public_suffix or domain
