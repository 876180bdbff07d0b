"""All that is known of addresses, from an operator's files and from what ships, asked in one place."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from abuse_service.enrichment.mmdb import MmdbFile
from abuse_service.enrichment.network import Address, NetworkRanges
from abuse_service.enrichment.network_file import NetworkFile, NetworkKind
from abuse_service.enrichment.places import NOWHERE, Place

_STRONGEST_FIRST = (NetworkKind.ANONYMIZER, NetworkKind.HOSTING, NetworkKind.MOBILE)


class Known(msgspec.Struct, frozen=True):
    """What is known of an address. ``kind`` is the one that says most, empty for none; a VPN may be hosted too."""

    kind: str = ""
    is_hosting: bool = False
    place: Place = NOWHERE


UNKNOWN = Known()


class Atlas:
    """Answers for an address. An operator's own word goes before databases, databases before what ships."""

    def __init__(self, hosting: NetworkRanges, files: Sequence[NetworkFile | MmdbFile] = ()) -> None:
        """``files`` are the operator's, the first of a kind goes before the others."""
        self._hosting = hosting
        self._lists = [file for file in files if isinstance(file, NetworkFile)]
        self._databases = [file for file in files if isinstance(file, MmdbFile)]
        self.version = "+".join([hosting.digest, *(file.digest for file in files)])
        """Changes with any of the files."""

    def find(self, address: Address) -> Known:
        """What is known of an address."""
        found = [database.find(address) for database in self._databases]
        place = _first_place(said.place for said in found)
        system = next((said.system for said in found if said.system is not None), None)
        for own in self._lists:
            if (kind := own.kind_of(address, system)) is not None:
                return Known("" if kind is NetworkKind.NONE else kind.value, kind is NetworkKind.HOSTING, place)
        kinds = {kind for said in found for kind in said.kinds}
        if self._hosting.holds(address):
            kinds.add(NetworkKind.HOSTING)
        strongest = next((kind for kind in _STRONGEST_FIRST if kind in kinds), None)
        if strongest is None and not address.is_global:
            strongest = NetworkKind.PRIVATE
        return Known(strongest.value if strongest else "", NetworkKind.HOSTING in kinds, place)


def read_files(paths: Iterable[Path]) -> list[NetworkFile | MmdbFile]:
    """An operator's files: MaxMind databases by their ending ``.mmdb``, else CSV.

    Raises `OSError` or `UnreadableFile`.
    """
    return [MmdbFile(path) if path.suffix.lower() == ".mmdb" else NetworkFile(path) for path in paths]


def _first_place(places: Iterable[Place]) -> Place:
    """The first that is known; coordinates from a later one where the first has a country only, and the same."""
    first = NOWHERE
    for place in places:
        first = refined(first, place)
    return first


def refined(place: Place, other: Place) -> Place:
    """The place, or another one that says more of the same country: countries and coordinates are never mixed."""
    if not place.is_known or (place.latitude is None and other.country == place.country):
        return other if other.is_known else place
    return place
