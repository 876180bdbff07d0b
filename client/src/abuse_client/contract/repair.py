"""Bytes that a JavaScript sender may emit and a strict decoder refuses, made readable.

A string may hold half of a surrogate pair (an emoji cut in two). Refusing it would let a user switch classification
off by what he types, so it becomes U+FFFD, as do bytes that are no UTF-8 and raw control characters.
"""

import re

MAX_DEPTH = 64
"""How deep arrays and objects may nest."""

# The backslashes before an escape decide whether it is one, so a whole run of them is consumed at once. An escaped pair
# is consumed too, so that what group 1 finds is a half.
_SURROGATES = re.compile(
    rb"(?<!\\)(?:\\\\)*+"
    rb"(?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
_NO_STRUCTURE = bytes(byte for byte in range(256) if byte not in b'"[]{}')
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_CONTROLS = bytes(max(byte, 32) for byte in range(256))


def repair(body: bytes) -> bytes:
    """The same JSON with halves of surrogate pairs and bytes that are no UTF-8 replaced by U+FFFD.

    Returns ``body`` itself when there is nothing to mend, which is the common case and costs one scan.
    """
    if not body.isascii():
        body = _as_utf8(body)
    if b"\\ud" in body or b"\\uD" in body:
        body = _SURROGATES.sub(_without_half, body)
    return body


def blank_controls(body: bytes) -> bytes:
    """The same JSON with raw control characters, which JSON forbids inside strings, replaced by spaces."""
    return body.translate(_CONTROLS)


def nests_too_deep(body: bytes) -> bool:
    """Whether arrays and objects nest deeper than `MAX_DEPTH`."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return False
    outside = _brackets_outside_strings(body)
    for _ in range(MAX_DEPTH):
        outside = outside.replace(b"[]", b"")  # takes off the innermost level, everywhere at once
    return b"[]" in outside or outside.count(b"[") > MAX_DEPTH


def _brackets_outside_strings(body: bytes) -> bytes:
    quoted = body.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NO_STRUCTURE)
    # Two quotes that touch end one string and begin the next, or hold nothing: gone, the rest keeps its side.
    return b"".join(quoted.replace(b'""', b"").split(b'"')[::2]).translate(_BRACKETS)


def _without_half(found: re.Match[bytes]) -> bytes:
    return found[0] if found[1] is None else found[0][:-6] + b"\\ufffd"


def _as_utf8(body: bytes) -> bytes:
    if body.startswith(b"\xef\xbb\xbf"):
        body = body[3:]
    try:
        body.decode()
    except UnicodeDecodeError:
        return body.decode(errors="replace").encode()
    return body
