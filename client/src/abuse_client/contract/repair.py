"""Bytes that a JavaScript sender may emit and a strict decoder refuses, made readable.

A string may hold half of a surrogate pair (an emoji cut in two). Refusing it would let a user switch classification
off by what he types, so it becomes U+FFFD, as do bytes that are no UTF-8 and raw control characters.
"""

import re

MAX_DEPTH = 64
"""How deep arrays and objects may nest."""

# An escaped pair is consumed whole, so that what is left over in group 1 is a half.
_SURROGATES = re.compile(
    rb"\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_CONTROLS = bytes(max(byte, 32) for byte in range(256))


def repair(body: bytes) -> bytes:
    """The same JSON with halves of surrogate pairs and bytes that are no UTF-8 replaced by U+FFFD.

    Returns ``body`` itself when there is nothing to mend, which is the common case and costs one scan.
    """
    if not body.isascii():
        body = _as_utf8(body)
    if b"\\ud" in body or b"\\uD" in body:
        body = _SURROGATES.sub(lambda found: b"\\ufffd" if found[1] else found[0], body)
    return body


def blank_controls(body: bytes) -> bytes:
    """The same JSON with raw control characters, which JSON forbids inside strings, replaced by spaces."""
    return body.translate(_CONTROLS)


def nests_too_deep(body: bytes) -> bool:
    """Whether arrays and objects nest deeper than `MAX_DEPTH`."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for token in _TOKENS.finditer(body):
        first = body[token.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif first in b"]}":
            depth -= 1
    return False


def _as_utf8(body: bytes) -> bytes:
    if body.startswith(b"\xef\xbb\xbf"):
        body = body[3:]
    try:
        body.decode()
    except UnicodeDecodeError:
        return body.decode(errors="replace").encode()
    return body
