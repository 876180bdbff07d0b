"""What an e-mail address says by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_service.enrichment.lookalike import skeleton
from abuse_service.enrichment.mail import Mail, read_mail
from abuse_service.enrichment.mail_domains import WELL_KNOWN


def mail(address: str) -> Mail:
    """The address taken apart; fails when it is none."""
    read = read_mail(address)
    assert read is not None
    return read


@pytest.mark.parametrize(
    ("address", "mailbox", "domain"),
    [
        ("Ada.Lovelace+x@GMail.com", "adalovelace@gmail.com", "gmail.com"),
        ("ada.lovelace@googlemail.com", "adalovelace@gmail.com", "gmail.com"),
        ("Ada.Lovelace+x+y@example.com", "ada.lovelace@example.com", "example.com"),
        ("ada.lovelace+x@outlook.com", "ada.lovelace@outlook.com", "outlook.com"),
        ("ada.lovelace+x@hotmail.com", "ada.lovelace@hotmail.com", "hotmail.com"),
        ("ada-shop@yahoo.com", "ada@yahoo.com", "yahoo.com"),
        ("ada-shop@yahoo.co.uk", "ada@yahoo.co.uk", "yahoo.co.uk"),
        ("-shop@yahoo.com", "-shop@yahoo.com", "yahoo.com"),
        ("ada-shop@yahoo.co.jp", "ada-shop@yahoo.co.jp", "yahoo.co.jp"),
        ("ada-shop@example.com", "ada-shop@example.com", "example.com"),
        ("a.d-a_+x@protonmail.com", "ada@proton.me", "proton.me"),
        ("ada@pm.me", "ada@proton.me", "proton.me"),
        ("ada+x@me.com", "ada@icloud.com", "icloud.com"),
        ("ada.lovelace@icloud.com", "ada.lovelace@icloud.com", "icloud.com"),
        ("shop@ada.fastmail.com", "ada@fastmail.com", "fastmail.com"),
        ("ada+x@fastmail.com", "ada@fastmail.com", "fastmail.com"),
        ("shop@ada.example.com", "shop@ada.example.com", "example.com"),
        ("ada-lovelace@ya.ru", "ada.lovelace@yandex.ru", "yandex.ru"),
        ("ada@example.com.", "ada@example.com", "example.com"),
        ("ada@M\u00fcnchen.example", "ada@xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("+x@example.com", "+x@example.com", "example.com"),
        ("...@gmail.com", "...@gmail.com", "gmail.com"),
        ('"a@b"@mail.example.co.uk', '"a@b"@mail.example.co.uk', "example.co.uk"),
        ('"a+b"@example.com', '"a+b"@example.com', "example.com"),
    ],
)
def test_mailbox_is_where_mail_arrives(address: str, mailbox: str, domain: str) -> None:
    """Case, tags and ignored signs make no other mailbox; the domain is the one that somebody registered."""
    read = mail(address)
    assert (read.mailbox, read.registrable_domain) == (mailbox, domain)


@pytest.mark.parametrize(
    ("address", "is_tagged", "dots"),
    [
        ("ada@gmail.com", False, 0),
        ("ada+x@gmail.com", True, 0),
        ("a.d.a@gmail.com", False, 2),
        ("ada.lovelace@example.com", False, 0),
        ("ada-x@yahoo.com", True, 0),
        ("x@ada.fastmail.com", True, 0),
        ("ada@googlemail.com", False, 0),
    ],
)
def test_variants_are_told_from_the_plain_address(address: str, is_tagged: bool, dots: int) -> None:
    """A tag is on purpose; ignored dots are counted, since a dot alone is how people write their names."""
    assert (mail(address).is_tagged, mail(address).dots) == (is_tagged, dots)


@pytest.mark.parametrize("address", ["", "ada", "@example.com", "ada@", " @ ", "ada@.", "a@" + "x" * 2000])
def test_what_is_no_mail(address: str) -> None:
    """Text that is no e-mail address says nothing."""
    assert read_mail(address) is None


@pytest.mark.parametrize(
    ("address", "is_disposable", "is_free"),
    [
        ("a@mailinator.com", True, False),
        ("a@x.mailinator.com", True, False),
        ("a@x.y.mailinator.com", True, False),
        ("a@example.com", False, False),
        ("a@gmail.com", False, True),
        ("a@web.de", False, True),
        ("a@tutanota.com", False, True),
        ("a@pm.me", False, True),
    ],
)
def test_disposable_and_free_domains_are_known(address: str, is_disposable: bool, is_free: bool) -> None:
    """A disposable domain is one with all below it; a free one is no disposable one."""
    assert (mail(address).is_disposable, mail(address).is_free) == (is_disposable, is_free)


@pytest.mark.parametrize("domain", sorted(WELL_KNOWN))
def test_providers_stay_beyond_doubt(domain: str) -> None:
    """Whatever a new release of a list says, a well-known provider is free, not disposable and imitates nobody."""
    read = mail(f"ada@{domain}")
    assert (read.is_free, read.is_disposable, read.is_lookalike) == (True, False, False)


@pytest.mark.parametrize(
    "address",
    [
        "ada@gmai1.com",
        "ada@gmaii.com",
        "ada@grnail.com",
        "ada@0utlook.com",
        "ada@hotrnail.com",
        "ada@protonmai1.com",
        "ada@mail.gmai1.com",
        "ada@gm\u0430il.com",  # a Cyrillic letter
        "ada@xn--gmil-63d.com",  # the same in punycode
        "ada@gm\u00e0il.com",  # an accent
        "\u0430da@example.com",  # a Cyrillic letter in the name
    ],
)
def test_lookalikes_are_seen(address: str) -> None:
    """What can be misread as a well-known provider, and a word of mixed scripts, is a look-alike."""
    assert mail(address).is_lookalike


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com",
        "ada@mall.com",  # a word of its own
        "ada@gmail.example.com",
        "ada@m\u00fcnchen.example",
        "\u0438\u0432\u0430\u043d@\u043f\u0440\u0438\u043c\u0435\u0440.example",
        "\u592a\u90ce\u30a2\u30c0a@\u4f8b\u3048.example",
        "ada@xn--.example",
        "ada@xn--a-ecp.example",
    ],
)
def test_other_languages_are_no_lookalikes(address: str) -> None:
    """A name in another language, or one that mixes scripts as its language does, is as good as any."""
    assert not mail(address).is_lookalike


def test_digits_of_the_name_count() -> None:
    """Digits are counted in the mailbox's name, a tag left out."""
    assert mail("user1234+567@example8.com").digits == 4


@given(st.emails())
def test_mailbox_is_its_own_mailbox(address: str) -> None:
    """Reading a mailbox again changes nothing, and case never matters."""
    read = mail(address)
    assert mail(read.mailbox).mailbox == read.mailbox
    assert mail(address.swapcase()).mailbox == read.mailbox


@given(st.text(max_size=20))
def test_skeletons_stand_still(text: str) -> None:
    """What a skeleton looks like is that skeleton, so that two names compare whichever was read first."""
    assert skeleton(skeleton(text)) == skeleton(text)
