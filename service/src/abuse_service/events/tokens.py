"""Tokens: what stands where a personal value stood, equal for equal values and worth nothing without the key (0018).

``~`` and 32 hexadecimal digits of a keyed hash. A mail address keeps its parts apart
(``~<hash of all>@~<hash of the domain>``), a prompt its length (``~<hash>/<bytes>``).
"""

import hashlib
import re

DIGEST_BYTES = 16
VALUE_BYTES = 7
"""Bytes of a digest by which features tell values apart."""

_TOKEN = re.compile(r"~[0-9a-f]{32}(?:/\d{1,15}|(?:@~[0-9a-f]{32})+)?")
_MOST_CACHED, _LONGEST_CACHED = 20_000, 512


def is_token(text: str) -> bool:
    """Whether a text is a token and no value."""
    return text[:1] == "~" and _TOKEN.fullmatch(text) is not None


class Tokens:
    """Makes tokens with one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._known: dict[str, bytes] = {}

    def of(self, value: str) -> str:
        """The token of a value; a token stays as it is."""
        return value if is_token(value) else self._name(value)

    def of_mail(self, address: str) -> str:
        """The token of a mail address, its domain to be told apart from all of it."""
        if is_token(address):
            return address
        return "@".join((self._name(address), *(self._name(part) for part in address.split("@")[1:])))

    def of_prompt(self, text: bytes | memoryview) -> str:
        """The token of a prompt, by the JSON text between its quotes."""
        return f"~{self.digest(text).hex()}/{len(text)}"

    def of_cut_prompt(self, hash_of_whole: str, length: int) -> str:
        """The token of a prompt that its sender cut, by what he says of the whole."""
        return f"~{self.digest(hash_of_whole.encode()).hex()}/{length}"

    def digest(self, value: bytes | memoryview) -> bytes:
        """16 bytes of keyed hash."""
        return hashlib.blake2b(value, digest_size=DIGEST_BYTES, key=self._secret, person=b"token").digest()

    def short_of(self, value: str) -> bytes:
        """`VALUE_BYTES` that stand for a value in a feature's state: those of its token, where it is one."""
        short = self._known.get(value)
        if short is None:
            whole = bytes.fromhex(value[1:33]) if is_token(value) else self.digest(value.encode(errors="replace"))
            short = whole[:VALUE_BYTES]
            if len(self._known) >= _MOST_CACHED:
                self._known.clear()
            if len(value) <= _LONGEST_CACHED:
                self._known[value] = short
        return short

    def _name(self, value: str) -> str:
        return f"~{self.digest(value.encode(errors='replace')).hex()}"


def prompt_bytes(token: str | None) -> int:
    """How long a prompt was, by its token; 0 without one."""
    return int(token.rpartition("/")[2]) if token and "/" in token else 0
