"""Prompts cut before they leave, with what the service needs to recognise the whole."""

import asyncio
import hashlib
from typing import Any

import msgspec

from abuse_client.contract import encode_fields

PROMPT_FIELDS = ("user_prompt", "system_prompt")
_PIECE_CHARACTERS = 2**18


class Cut(msgspec.Struct, frozen=True):
    """A prompt that leaves cut, whole."""

    field: str
    whole: str


def cut_prompts(fields: dict[str, Any], max_characters: int) -> tuple[dict[str, Any], tuple[Cut, ...]]:
    """The same fields with long prompts cut, and what was cut."""
    cuts = tuple(
        Cut(name, fields[name])
        for name in PROMPT_FIELDS
        if isinstance(fields.get(name), str) and len(fields[name]) > max_characters
    )
    if not cuts:
        return fields, ()
    return fields | {cut.field: cut.whole[:max_characters] for cut in cuts}, cuts


async def with_digests(body: bytes, cuts: tuple[Cut, ...]) -> bytes:
    """The body with ``NAME_bytes`` and ``NAME_sha256`` of each prompt that was cut.

    Both are over the JSON text of the whole prompt, as the service computes them when it cuts (its decision 0008). A
    long prompt is read piece by piece, so that neither the interpreter nor the event loop is held up.
    """
    for cut in cuts:
        digest = hashlib.sha256()
        length = 0
        for start in range(0, len(cut.whole), _PIECE_CHARACTERS):
            piece = _json_text(cut.whole[start : start + _PIECE_CHARACTERS])
            digest.update(piece)
            length += len(piece)
            await asyncio.sleep(0)
        added = {f"{cut.field}_bytes": length, f"{cut.field}_sha256": digest.hexdigest()}
        body = body[:-1] + b"," + encode_fields(added)[1:]
    return body


def _json_text(text: str) -> bytes:
    return encode_fields({"": text})[5:-2]
