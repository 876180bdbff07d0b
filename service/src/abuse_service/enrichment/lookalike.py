"""Names made to be misread: letters of other scripts, and digits or pairs that look like letters."""

import functools
import unicodedata
from importlib import resources

import msgspec

from abuse_service.enrichment.mail_domains import WELL_KNOWN, is_providers

# Letters of these scripts stand for Latin ones unseen. Chinese, Japanese, Arabic and the like mix openly.
_TWINS = frozenset({"CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "LISU"})
_FEWEST_LETTERS = 5
_LOOKS = str.maketrans({"0": "o", "1": "l", "i": "l", "|": "l", "m": "rn", "w": "vv"})


class _Twin(msgspec.Struct):
    """An entry of the package's table; its long names are left out."""

    c: str


def looks_like_provider(domain: str, registrable: str) -> bool:
    """Whether a domain can be misread as a well-known provider's, whose it is not. Both in letters, not in punycode."""
    if registrable in WELL_KNOWN or is_providers(registrable):
        return False
    return not _SKELETONS.isdisjoint((skeleton(registrable), skeleton(domain)))


def mixes_scripts(text: str) -> bool:
    """Whether one word of the text mixes Latin letters with letters that look like them."""
    return not text.isascii() and any(_mixes(word) for word in text.replace("@", ".").split("."))


def skeleton(text: str) -> str:
    """What the text looks like: equal for texts that can be mistaken for each other."""
    if not text.isascii():
        # Accents first: an accented letter of another script is its bare letter's twin.
        bare = (letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))
        text = "".join(confusables().get(letter, letter) for letter in bare)
    return text.lower().translate(_LOOKS)


@functools.cache
def confusables() -> dict[str, str]:
    """Unicode's confusable characters, each with the ASCII letter or digit that it looks like."""
    file = resources.files("confusable_homoglyphs") / "confusables.json"
    found: dict[str, str] = {}
    for letter, twins in msgspec.json.decode(file.read_bytes(), type=dict[str, list[_Twin]]).items():
        ascii_twins = sorted({twin.c.lower() for twin in twins if twin.c.isascii() and twin.c.isalnum()})
        if not letter.isascii() and ascii_twins:
            found[letter] = ascii_twins[-1]
    return found


def _mixes(word: str) -> bool:
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in word if letter.isalpha()}
    return "LATIN" in scripts and not scripts.isdisjoint(_TWINS)


# Of names with fewer letters honest ones are left over as well: mall.com is no imitation of mail.com.
_SKELETONS = frozenset(skeleton(domain) for domain in WELL_KNOWN if len(domain.partition(".")[0]) >= _FEWEST_LETTERS)
