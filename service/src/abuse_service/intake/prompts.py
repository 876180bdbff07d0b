"""What is kept of a request's body: no prompt, and nothing that is too long, before anything is decoded (0018)."""

import re
from collections.abc import Callable

import msgspec

from abuse_client.contract import ContractError, blank_controls, parse_object, repair
from abuse_service.events.tokens import Tokens

KEEP_BYTES = 8192
"""Bytes that a field other than a prompt may keep."""

KEEP_IDENTITY_BYTES = 65_536
"""Bytes that a field of the identity key may keep: the key is a hash over the whole, and servers take such headers."""

PROMPTS = ("user_prompt", "system_prompt")
_TOLD = {f"{name}_{what}" for name in PROMPTS for what in ("bytes", "sha256")}
_IDENTITY = frozenset({"ip_address", "ja4_digest", "user_agent"})
_NOTHING = (b"null", b'""')
_QUOTE = ord('"')
_CUT = b'_prompt_sha256"'
_HASH = re.compile(rb'"[0-9a-f]{64}"')
_LENGTH = re.compile(rb"[0-9]{1,9}")


class _Prompts(msgspec.Struct):
    user_prompt: msgspec.Raw = msgspec.Raw(b"")
    system_prompt: msgspec.Raw = msgspec.Raw(b"")


_prompts = msgspec.json.Decoder(_Prompts)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode


def without_prompts(body: bytes, tokens: Tokens) -> tuple[bytes, tuple[str, ...]]:
    """The same JSON object with each prompt replaced by its token, and the names of prompts that are no text.

    Those become null. A client that cuts a long prompt says its whole length and hash in ``NAME_bytes`` and
    ``NAME_sha256``: the token is made of these, and they go, for a hash without a key can be guessed at. Of another
    field that is too long the first bytes stay, of one that is no text nothing; beside it stands ``NAME_token``, like a
    prompt's, so that equal values stay recognisable. A body that is no JSON object comes back as it is.
    """
    swapped = _swap(body, tokens) if _CUT not in body else None
    if swapped is not None:
        return swapped, ()
    try:
        fields = _read(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, ContractError):
        return body, ()
    kept: dict[str, object] = {}
    malformed = []
    told = fields.keys() & _TOLD
    for name in PROMPTS:
        text = memoryview(fields.get(name, b"null"))
        if text in _NOTHING:
            continue
        is_text = text[0] == _QUOTE
        kept[name] = (_of_cut(fields, name, tokens) or tokens.of_prompt(text[1:-1])) if is_text else None
        if not is_text:
            malformed.append(name)
    if len(body) > KEEP_BYTES:
        for name, raw in fields.items():
            if name not in kept:
                _cut(kept, name, raw, tokens)
    # Put together again also where a prompt is null: before it one may stand under the same name.
    is_changed = kept or told or not fields.keys().isdisjoint(PROMPTS)
    left = {name: value for name, value in (fields | kept).items() if name not in told}
    return (_encode(left) if is_changed else body), tuple(malformed)


def _of_cut(fields: dict[str, msgspec.Raw], name: str, tokens: Tokens) -> str | None:
    whole, length = (bytes(fields.get(f"{name}_{what}", b"")) for what in ("sha256", "bytes"))
    if not _HASH.fullmatch(whole) or not _LENGTH.fullmatch(length):
        return None
    return tokens.of_cut_prompt(whole[1:-1].decode(), int(length))


def _swap(body: bytes, tokens: Tokens) -> bytes | None:
    """The same where nothing is odd and no other field can be too long, as nearly always; else ``None``.

    Each prompt is cut out where it stands, and the other fields are looked at by nobody.
    """
    try:
        said = _prompts.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    for name, raw in zip(PROMPTS, (said.user_prompt, said.system_prompt), strict=True):
        text = memoryview(raw)
        key = b'"%b"' % name.encode()
        found = body.count(key)
        if found > 1 or (found == 1) != (len(text) > 0):
            return None
        if not found or text in _NOTHING:
            continue
        place = body.index(key) + len(key)
        start = body.find(text, place)
        if text[0] != _QUOTE or body[place:start].strip() != b":":
            return None
        body = b'%b"%b"%b' % (body[:start], tokens.of_prompt(text[1:-1]).encode(), body[start + len(text) :])
    # What is left may spell a prompt's name with escapes, a second time.
    return body if len(body) <= KEEP_BYTES and b"\\u00" not in body else None


def _read(body: bytes) -> dict[str, msgspec.Raw]:
    """The bytes of each field, also of a body that needs mending. Raises what the decoders raise for no object."""
    mends: tuple[Callable[[bytes], bytes], ...] = (bytes, repair, blank_controls)
    readable = body
    for mend in mends:
        readable = mend(readable)
        try:
            return _split(readable)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    # A number beyond any field, which only the tolerant parser takes.
    return {name: msgspec.Raw(_encode(value)) for name, value in parse_object(body).items()}


def _split(body: bytes) -> dict[str, msgspec.Raw]:
    """The bytes of each field.

    A strict decoder refuses halves of surrogate pairs even in what it passes over, and mending them all takes a second
    for a prompt of 15 MiB. So they are masked by letters of equal length, and each field is taken from where it stands.
    """
    if b"\\ud" not in body and b"\\uD" not in body:
        return _fields.decode(body)
    masked = body.replace(b"\\ud", b"\\ue").replace(b"\\uD", b"\\uE")
    fields: dict[str, msgspec.Raw] = {}
    place = 0
    for name, raw in _fields.decode(masked).items():
        text = bytes(raw)
        found = masked.find(text, place)
        start = found if found >= 0 else masked.index(text)
        place = start + len(text)
        fields[name] = msgspec.Raw(body[start:place])
    return fields


def _cut(kept: dict[str, object], name: str, raw: msgspec.Raw, tokens: Tokens) -> None:
    keep = KEEP_IDENTITY_BYTES if name in _IDENTITY else KEEP_BYTES
    text = memoryview(raw)
    if len(text) - 2 <= keep:
        return
    kept[name] = _head(bytes(text[1 : keep + 1])) if text[0] == _QUOTE else None
    kept[f"{name}_token"] = tokens.of_prompt(text[1:-1])


def _head(escaped: bytes) -> str:
    """The longest readable start of an escaped JSON string."""
    keep = len(escaped)
    for end in range(keep, max(-1, keep - 12), -1):
        try:
            return _text.decode(b'"' + blank_controls(repair(escaped[:end])) + b'"')
        except msgspec.MsgspecError:
            continue
    return ""
