"""What all payloads, answers and events of the contract are built on."""

from collections.abc import Callable
from typing import Any

import msgspec

# Typed for the sake of a host's checker; msgspec leaves out empty values of `dict` itself, not of ``dict[str, Any]``.
_plain_dict: Callable[[], dict[str, Any]] = dict


class Wire(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A part of the wire contract. Frozen; an absent field and ``null`` read alike.

    ``extra`` holds the fields that this version does not know, by their wire names. `abuse_client.contract.decode`
    fills it and `abuse_client.contract.encode` writes its entries beside the known ones, so nothing that a newer sender
    says is lost. The field itself never crosses the wire.
    """

    extra: dict[str, Any] = msgspec.field(default_factory=_plain_dict, name="$extra")
