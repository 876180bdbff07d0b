"""What tells a repeated event from a new one: keyed hashes, for an event's id or content may name a person (0019)."""

import hashlib

_ID_BYTES = 16
_CONTENT_BYTES = 8


class EventKeys:
    """Makes keys with one secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of_id(self, source: str, event_type: str, event_id: str) -> bytes:
        """16 bytes that stand for an event id, scoped by sender and type (decision 3)."""
        return self._hash(f"{source}\0{event_type}\0{event_id}".encode(), _ID_BYTES)

    def of_content(self, source: str, event_type: str, occurred_at_ms: int, body: bytes) -> bytes:
        """16 bytes that stand for an event without an id: by sender, type, time and content (decision 3)."""
        return self._hash(f"{source}\0{event_type}\0{occurred_at_ms}\0".encode() + body, _ID_BYTES)

    def digest(self, content: bytes) -> bytes:
        """8 bytes that tell equal content from different content."""
        return self._hash(content, _CONTENT_BYTES)

    def _hash(self, content: bytes, size: int) -> bytes:
        return hashlib.blake2b(content, digest_size=size, key=self._secret, person=b"event").digest()
