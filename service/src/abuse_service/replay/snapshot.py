"""What the states on disk are an image of."""

from collections.abc import Awaitable
from typing import Protocol

import msgspec

from abuse_service.identities.states import Cut

STATE_FORMAT = 2
"""Changes whenever the kept states change their shape; an image of another format is rebuilt from the log."""


class Snapshot(msgspec.Struct, frozen=True):
    """All events up to ``position``, and those with the request ids ``ahead`` of it.

    ``features`` are the keys of the features that were folded; a policy that declares others needs a new image.
    """

    position: int
    ahead: tuple[int, ...]
    features: frozenset[str]
    is_enforced: bool = True
    state_format: int = STATE_FORMAT


class Snapshots(Protocol):
    """Where images are kept."""

    def latest_snapshot(self) -> Snapshot | None:
        """The image on disk, or ``None``."""
        ...

    def write_snapshot(self, cut: Cut, snapshot: Snapshot) -> Awaitable[None]:
        """Replace the image on disk. Raises `StorageUnavailable`; then the old image stays."""
        ...

    def discard_snapshot(self) -> None:
        """Forget the image."""
        ...
