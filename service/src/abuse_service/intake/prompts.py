"""Cutting what is too long to keep, before anything is decoded."""

import hashlib

import msgspec

from abuse_client.contract import blank_controls, repair

KEEP_OTHER_BYTES = 8192
"""Bytes that a field other than a prompt may keep."""

KEEP_IDENTITY_BYTES = 65_536
"""Bytes that a field of the identity key may keep: the key is a hash over the whole, and servers take such headers."""

_PROMPTS = frozenset({"user_prompt", "system_prompt"})
_IDENTITY = frozenset({"ip_address", "ja4_digest", "user_agent"})
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str)
_encode = msgspec.json.Encoder().encode


def cut_long_fields(body: bytes, keep_prompt_bytes: int) -> bytes:
    """The same JSON object with long fields cut.

    A string keeps its first bytes; beside it stand ``NAME_bytes`` and ``NAME_sha256``, both over the JSON text of the
    whole string, so that equal prompts stay recognisable. A long value that is no string becomes null. Returns
    ``body`` itself when nothing is long. Raises `msgspec.MsgspecError` or `RecursionError` for what is no object.
    """
    fields = _split(body)
    cut: dict[str, object] = {}
    for name, raw in fields.items():
        keep = keep_prompt_bytes if name in _PROMPTS else _kept_bytes(name)
        text = bytes(raw)
        if len(text) - 2 > keep:
            cut[name] = _head(text[1:-1], keep) if text[:1] == b'"' else None
            cut[f"{name}_bytes"] = len(text) - 2
            cut[f"{name}_sha256"] = hashlib.sha256(memoryview(text)[1:-1]).hexdigest()
    return _encode({**fields, **cut}) if cut else body


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


def _kept_bytes(name: str) -> int:
    return KEEP_IDENTITY_BYTES if name in _IDENTITY else KEEP_OTHER_BYTES


def _head(escaped: bytes, keep: int) -> str:
    """The longest readable start of an escaped JSON string within ``keep`` bytes."""
    for end in range(keep, max(-1, keep - 12), -1):
        try:
            return _text.decode(b'"' + blank_controls(repair(escaped[:end])) + b'"')
        except msgspec.MsgspecError:
            continue
    return ""
