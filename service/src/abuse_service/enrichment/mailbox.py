"""Which spellings of an address one mailbox takes, provider by provider."""

import functools

import msgspec


class Provider(msgspec.Struct, frozen=True):
    """How a provider reads what stands before the ``@``. Every provider's plus-tags are cut, here or not.

    ``ignored`` are characters that make no other mailbox. ``swapped`` are pairs that mean the same. ``separator``
    begins a tag beside ``+``. ``domains`` lead to the same mailbox, named under the first of them.
    """

    domains: tuple[str, ...]
    ignored: str = ""
    swapped: tuple[str, str] | None = None
    separator: str | None = None
    takes_subdomains: bool = False


PROVIDERS = (
    Provider(("gmail.com", "googlemail.com"), ignored="."),
    Provider(("proton.me", "protonmail.com", "pm.me", "protonmail.ch"), ignored=".-_"),
    Provider(("icloud.com", "me.com", "mac.com")),
    Provider(
        ("yandex.ru", "ya.ru", "yandex.com", "yandex.by", "yandex.kz", "yandex.ua", "yandex.com.tr"),
        swapped=("-", "."),
    ),
    # Whatever stands before the @ of NAME.fastmail.com arrives at NAME.
    Provider(("fastmail.com",), takes_subdomains=True),
    Provider(("fastmail.fm",), takes_subdomains=True),
    # No id of theirs holds a hyphen: what follows one is the keyword of a disposable address.
    *(
        Provider((domain,), separator="-")
        for domain in (
            *("yahoo.com", "ymail.com", "rocketmail.com", "myyahoo.com"),
            *(f"yahoo.{country}" for country in ("ca", "de", "dk", "es", "fr", "gr", "ie", "in", "it", "no", "pl")),
            *(f"yahoo.co.{country}" for country in ("id", "in", "kr", "nz", "th", "uk", "za")),
            *(f"yahoo.com.{country}" for country in ("ar", "au", "br", "hk", "mx", "my", "ph", "sg", "tr", "tw", "vn")),
        )
    ),
)
"""Providers that read an address otherwise than as it stands. Outlook, Hotmail and Live need no entry: tags only."""

_BY_DOMAIN = {domain: provider for provider in PROVIDERS for domain in provider.domains}


class Mailbox(msgspec.Struct, frozen=True):
    """Where mail arrives. ``dots`` were left out because the provider ignores them."""

    name: str
    domain: str
    is_tagged: bool
    dots: int


@functools.lru_cache(maxsize=5_000)
def find_mailbox(local: str, domain: str) -> Mailbox:
    """The mailbox behind ``local@domain``, both lower case."""
    if local.startswith('"'):
        return Mailbox(local, domain, is_tagged=False, dots=0)
    provider = _BY_DOMAIN.get(domain)
    user, _, above = domain.partition(".")
    if provider is None and (below := _BY_DOMAIN.get(above)) is not None and below.takes_subdomains:
        return Mailbox(user, above, is_tagged=True, dots=0)
    name = local.split("+", 1)[0] or local
    if provider is None:
        return Mailbox(name, domain, is_tagged=name != local, dots=0)
    if provider.separator is not None:
        name = name.split(provider.separator, 1)[0] or name
    is_tagged = name != local
    dots = name.count(".") if "." in provider.ignored else 0
    name = name.translate(dict.fromkeys(map(ord, provider.ignored))) or name
    if provider.swapped is not None:
        name = name.replace(*provider.swapped)
    return Mailbox(name, provider.domains[0], is_tagged, dots)
