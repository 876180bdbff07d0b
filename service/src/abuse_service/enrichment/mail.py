"""What an e-mail address says by itself."""

import functools

import idna
import msgspec
import tldextract

from abuse_service.enrichment.lookalike import looks_like_provider, mixes_scripts
from abuse_service.enrichment.mail_domains import is_disposable, is_free
from abuse_service.enrichment.mailbox import find_mailbox

# Only the list that ships with the package: nothing is fetched.
_extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None)

_LONGEST_ADDRESS = 1024


class Mail(msgspec.Struct, frozen=True):
    """An address taken apart. ``mailbox`` is where mail really arrives: lower case, tags and ignored dots removed.

    Domains are in ASCII (punycode). ``dots`` are those that the provider ignores; ``digits`` stand in the mailbox's
    name. A look-alike can be misread as a well-known provider's address, or mixes scripts within a word.
    """

    mailbox: str
    domain: str
    registrable_domain: str
    is_disposable: bool
    is_free: bool
    is_lookalike: bool
    is_tagged: bool
    dots: int
    digits: int


def read_mail(address: str) -> Mail | None:
    """The address taken apart, or ``None`` when it is none."""
    return _read(address) if len(address) <= _LONGEST_ADDRESS else None


@functools.lru_cache(maxsize=5_000)
def _read(address: str) -> Mail | None:
    local, at, said = address.strip().lower().rpartition("@")
    domain = said.rstrip(".")
    if not (local and at and domain):
        return None
    domain, seen = _ascii(domain), _letters(domain)
    mailbox = find_mailbox(local, domain)
    registrable = _registrable(mailbox.domain)
    return Mail(
        mailbox=f"{mailbox.name}@{mailbox.domain}",
        domain=mailbox.domain,
        registrable_domain=registrable,
        is_disposable=is_disposable(mailbox.domain, registrable),
        is_free=is_free(mailbox.domain, registrable),
        is_lookalike=mixes_scripts(f"{local}@{seen}") or looks_like_provider(seen, _registrable(seen)),
        is_tagged=mailbox.is_tagged,
        dots=mailbox.dots,
        digits=sum(character.isdigit() for character in mailbox.name),
    )


def _ascii(domain: str) -> str:
    """The domain as it stands in the DNS, or as it came where it can't stand there."""
    if domain.isascii():
        return domain
    try:
        return idna.encode(domain, uts46=True).decode()
    except UnicodeError:
        return domain


def _letters(domain: str) -> str:
    """The domain as people see it."""
    if "xn--" not in domain:
        return domain
    try:
        return idna.decode(domain)
    except UnicodeError:
        return domain


@functools.lru_cache(maxsize=5_000)
def _registrable(domain: str) -> str:
    return _extract(domain).top_domain_under_public_suffix or domain
