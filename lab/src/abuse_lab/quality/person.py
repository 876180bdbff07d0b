"""Who people are: names, mailboxes, devices. Everything is drawn; nobody is meant."""

import random
import string
from dataclasses import dataclass, replace

from disposable_email_domains import blocklist

_FIRST_NAMES = """
ada amara anders anna arjun aylin bao bruno carla chen chidi clara dana daniel diego elena emeka emil eva
fatima felix grace hana hugo ines ivan jana jonas julia kofi lara leo lena linh lucas mai marek maria marta
mateo mei milan mina nadia nico noor olga omar oscar paula petra priya rafael rania ravi rosa sam sara sofia
sven tara theo tomas uma vera viktor wei yara yuki zoe
"""
_LAST_NAMES = """
adeyemi almeida andersson bauer becker bianchi castro chen costa dang demir dubois fischer garcia gupta haas
hansen ibrahim ito jansen kaya khan kim klein kowalski kumar laurent lee lima lopez marino martin mehta meyer
moreau mueller nakamura ng nguyen novak okafor oliveira park pereira petrov pham rao reyes rossi saito santos
schmidt sharma silva singh smith sokolov suarez tanaka tran vargas wang weber wolf yilmaz zhang
"""
_SOUNDS = "ba be bo da de do fa fe ga go ka ke ko la le lo ma me mo na ne no pa pe ra re ro sa so ta te to va ve zo"
_FIRST, _LAST, _SYLLABLES = (text.split() for text in (_FIRST_NAMES, _LAST_NAMES, _SOUNDS))
_FREE_MAIL = (
    "gmail.com",
    "gmail.com",
    "gmail.com",
    "outlook.com",
    "hotmail.com",
    "yahoo.com",
    "icloud.com",
    "proton.me",
)
_DISPOSABLE = sorted(blocklist)


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """A person, or what one pretends to be. ``device`` is what a device check reads, ``card`` what Stripe does."""

    user_id: str
    email: str
    providers: tuple[str, ...]
    device: str
    card: str
    customer: str


class People:
    """Draws people."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng

    def person(self, email: str | None = None, providers: tuple[str, ...] | None = None) -> Person:
        """Somebody with a mailbox, a device and a card of his own."""
        rng = self._rng
        return Person(
            user_id=f"{rng.getrandbits(128):032x}",
            email=email or self.free_mail(),
            providers=providers
            or rng.choice((("google",), ("google",), ("github",), ("email",), ("google", "github"))),
            device=self.device(),
            card=self.token(16),
            customer=f"cus_{self.token(14)}",
        )

    def device(self) -> str:
        """A hardware fingerprint."""
        return f"hardware-fingerprint-{self._rng.getrandbits(128):032x}"

    def token(self, length: int) -> str:
        """Letters and digits, as Stripe's ids have them."""
        return "".join(self._rng.choices(string.ascii_letters + string.digits, k=length))

    def name(self) -> tuple[str, str]:
        """A first and a last name."""
        return self._rng.choice(_FIRST), self._rng.choice(_LAST)

    def free_mail(self) -> str:
        """An address at a large provider, in the ways people spell them; a third carry digits."""
        rng = self._rng
        first, last = self.name()
        spelled = rng.choice(
            (f"{first}.{last}", f"{first}{last}", f"{first[0]}{last}", f"{last}.{first}", f"{first}_{last}")
        )
        digits = rng.choice(("", "", "", "", str(rng.randrange(1, 100)), str(rng.randrange(1970, 2010))))
        return f"{spelled}{digits or rng.choice(_SYLLABLES)}@{rng.choice(_FREE_MAIL)}"

    def machine_mail(self) -> str:
        """An address at a large provider as generators of accounts make them."""
        rng = self._rng
        first, last = self.name()
        made = rng.choice(
            (
                f"{first}{last}{rng.randrange(10_000, 999_999)}",
                f"{first}{rng.randrange(1000, 99_999)}{rng.choice(string.ascii_lowercase)}",
                "".join(rng.choices(string.ascii_lowercase + string.digits, k=rng.randrange(9, 14))),
            )
        )
        return f"{made}@{rng.choice(_FREE_MAIL)}"

    def domain(self) -> str:
        """A registrable domain of one's own."""
        rng = self._rng
        word = "".join(rng.choices(_SYLLABLES, k=rng.randrange(3, 6)))
        return f"{word}.{rng.choice(('com', 'net', 'io', 'dev', 'org', 'co', 'xyz', 'eu'))}"

    def work_mail(self, domain: str) -> str:
        """An address at an employer's, made out of a name."""
        first, last = self.name()
        return f"{first}.{last}{self._rng.choice(_SYLLABLES)}@{domain}"

    def disposable_mail(self) -> str:
        """An address at a disposable domain: mostly a listed one, sometimes one too new for lists."""
        rng = self._rng
        domain = (
            rng.choice(_DISPOSABLE)
            if rng.random() < 0.8
            else f"{self.domain().split('.')[0]}.{rng.choice(('xyz', 'top'))}"
        )
        return f"{''.join(rng.choices(string.ascii_lowercase, k=rng.randrange(6, 12)))}@{domain}"

    def alias(self, mailbox: str) -> str:
        """The same mailbox spelled otherwise: a tag, or a dot where the provider ignores dots."""
        rng = self._rng
        local, _, domain = mailbox.partition("@")
        tag = rng.choice(
            (str(rng.randrange(1, 500)), "".join(rng.choices(string.ascii_lowercase, k=4)), f"t{rng.randrange(99)}")
        )
        if domain == "gmail.com" and rng.random() < 0.4:
            bare = local.replace(".", "")
            at = rng.randrange(1, len(bare))
            return f"{bare[:at]}.{bare[at:]}@{domain}"
        return f"{local}+{tag}@{domain}"


def sharing(person: Person, *, device: str | None = None, card: str | None = None, email: str | None = None) -> Person:
    """The person with somebody else's device, card or mailbox."""
    return replace(person, device=device or person.device, card=card or person.card, email=email or person.email)
