"""What the states on disk are an image of."""

from collections.abc import Awaitable
from typing import Protocol

import msgspec

from abuse_service.decisions.standing import Stood
from abuse_service.events.entity import EntityKey
from abuse_service.features.upkeep import Kept
from abuse_service.identities.joins import Waits
from abuse_service.identities.packing import STATE_FORMAT
from abuse_service.identities.releases import Release
from abuse_service.identities.reservations import Held
from abuse_service.identities.states import Cut


class Snapshot(msgspec.Struct, frozen=True):
    """All events up to ``position``, and those with the request ids ``ahead`` of it.

    ``kept`` says which features were folded. ``waiting`` are the events that have no owner yet,
    ``policies`` the positions of the policies' activations, ``reservations`` the open ones,
    ``stood`` what people said that stands, and ``late`` who is to be erased once more.
    """

    position: int
    ahead: tuple[int, ...]
    kept: Kept = Kept()
    is_enforced: bool = True
    waiting: tuple[Waits, ...] = ()
    policies: tuple[int, ...] = ()
    state_format: int = STATE_FORMAT
    reservations: Held = Held()
    stood: Stood = Stood()
    releases: tuple[Release, ...] = ()
    late: tuple[EntityKey, ...] = ()


class Snapshots(Protocol):
    """Where images are kept."""

    def latest_snapshot(self) -> Snapshot | None:
        """The image on disk, or ``None``."""
        ...

    def write_snapshot(self, cut: Cut, snapshot: Snapshot) -> Awaitable[None]:
        """Replace the image on disk. Raises `StorageUnavailable`; then the old image stays."""
        ...

    def write_snapshot_now(self, cut: Cut, snapshot: Snapshot) -> None:
        """The same at once, before the service takes writes. Raises `StorageUnavailable`."""
        ...

    def discard_snapshot(self) -> None:
        """Forget the image."""
        ...


__all__ = ["STATE_FORMAT", "Snapshot", "Snapshots"]
