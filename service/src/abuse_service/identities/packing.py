"""States as bytes: MessagePack, and for the larger ones Zstandard with a dictionary of the names that recur in them."""

import zlib

import msgspec
import zstandard

from abuse_client.contract import EVENT_CLASSES, AuthEventPayload, OrgMembership, ResolvedAction, Signal, Verdict
from abuse_service.events.entity import EntityKind
from abuse_service.identities.state import EntityState, IdentityState, State

_LARGE_BYTES = 400
"""Smaller states are kept as they are: there is nothing to gain."""

# Zstandard's frames start so, MessagePack's arrays never do.
_FRAME_START = 0x28

_NAMES = [
    *Verdict,
    *ResolvedAction,
    *Signal,
    *(f"stripe.{name}" for name in ("payment_method", "charge", "customer")),
    *("is_member", "is_attached", "funds_withdrawn", "tier", "status", "active", "streak_months", "fingerprint:"),
    *("fraudulent", "amount", "currency", "usd", "reason", "cus_", "pm_", "ch_", "pi_"),
    *OrgMembership.__struct_fields__,
    *AuthEventPayload.__struct_fields__,
    *("request.classified", "request.cost_reported", "auth.signup", "auth.signin"),
    *EVENT_CLASSES,
    *("ALLOW\xa7nothing", "ALLOW\xc0\x90", "@example.com", "Mozilla/5.0 (", "user:"),
]
_DICTIONARY_TEXT = "\0".join(_NAMES).encode()
_DICTIONARY = zstandard.ZstdCompressionDict(_DICTIONARY_TEXT, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
_DICTIONARY.precompute_compress(level=1)

STATE_FORMAT = 14 << 32 | zlib.crc32(_DICTIONARY_TEXT)
"""Changes whenever kept states change their shape or the dictionary; an image of another format is built anew."""

_encode = msgspec.msgpack.Encoder().encode
_compress = zstandard.ZstdCompressor(dict_data=_DICTIONARY, write_checksum=False, write_dict_id=False).compress
_decompress = zstandard.ZstdDecompressor(dict_data=_DICTIONARY).decompress
_identity = msgspec.msgpack.Decoder(IdentityState).decode
_entity = msgspec.msgpack.Decoder(EntityState).decode
_USER_LETTER = EntityKind.USER.value


def pack(state: State | bytes) -> bytes:
    """The state as bytes, quickly: for a state that stays live, whose bytes only go to disk."""
    return state if isinstance(state, bytes) else _encode(state)


def squeeze(packed: bytes) -> bytes:
    """The same state in fewer bytes: for one that rests."""
    return packed if len(packed) < _LARGE_BYTES or packed[0] == _FRAME_START else _compress(packed)


def unpack(key: bytes, packed: bytes) -> State:
    """The state under ``key``: an identity's where the key is a user's."""
    if packed[0] == _FRAME_START:
        packed = _decompress(packed)
    return _identity(packed) if key[:1] == _USER_LETTER else _entity(packed)
