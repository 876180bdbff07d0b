"""An operator's MMDB file: country, place, system, anonymity or connection type of an address, whichever it holds."""

from pathlib import Path
from typing import Any

import maxminddb
import msgspec

from abuse_service.enrichment.network import Address, UnreadableFile
from abuse_service.enrichment.network_file import NetworkKind, digest_of
from abuse_service.enrichment.places import NOWHERE, Place, read_place

# Names as GeoIP2, GeoLite2 and IPinfo write them, at the top or under "traits".
_ANONYMIZERS = (
    *("is_anonymous_vpn", "is_public_proxy", "is_residential_proxy", "is_tor_exit_node", "is_anonymous_proxy"),
    *("vpn", "proxy", "tor", "relay", "is_vpn", "is_proxy", "is_tor", "is_relay"),
)
_HOSTING = ("is_hosting_provider", "hosting", "is_hosting")
_MOBILE = ("mobile", "is_mobile")
_HOSTING_USERS = frozenset({"hosting", "content_delivery_network"})


class Said(msgspec.Struct, frozen=True):
    """What one file says of an address."""

    kinds: frozenset[NetworkKind] = frozenset()
    place: Place = NOWHERE
    system: int | None = None


NOTHING = Said()


class MmdbFile:
    """A MaxMind database, in whatever of the usual shapes."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError`, or `UnreadableFile` for what is no such database."""
        self.digest = digest_of(path)
        try:
            self._reader = maxminddb.open_database(path)
        except (maxminddb.InvalidDatabaseError, ValueError) as error:
            raise UnreadableFile(path, None, f"expected a MaxMind database ({error})") from None

    def find(self, address: Address) -> Said:
        """What the file says; nothing where it knows nothing or is broken."""
        try:
            record = self._reader.get(address.ip)
        except (maxminddb.InvalidDatabaseError, ValueError):
            return NOTHING
        return read_record(record) if isinstance(record, dict) else NOTHING


def read_record(record: dict[str, Any]) -> Said:
    """What a record says, read leniently: other fields and other types say nothing."""
    traits = _under(record, "traits")
    said = traits | record
    kinds = set()
    is_hosting = _holds(said, _HOSTING) or said.get("user_type") in _HOSTING_USERS
    # Also true of hosting providers: alone it says that something else hides the address.
    if _holds(said, _ANONYMIZERS) or (said.get("is_anonymous") is True and not is_hosting):
        kinds.add(NetworkKind.ANONYMIZER)
    if is_hosting:
        kinds.add(NetworkKind.HOSTING)
    if _holds(said, _MOBILE) or "cellular" in (str(said.get("user_type")), str(said.get("connection_type")).lower()):
        kinds.add(NetworkKind.MOBILE)
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    location = _under(record, "location")
    latitude, longitude = location.get("latitude", record.get("lat")), location.get("longitude", record.get("lng"))
    place = read_place(code if isinstance(code, str) else None, _number(latitude), _number(longitude))
    return Said(frozenset(kinds), place, _system(said.get("autonomous_system_number", said.get("asn"))))


def _under(record: dict[str, Any], name: str) -> dict[str, Any]:
    inner = record.get(name)
    return inner if isinstance(inner, dict) else {}


def _holds(said: dict[str, Any], names: tuple[str, ...]) -> bool:
    return any(said.get(name) in (True, "true") for name in names)


def _number(said: object) -> float | None:
    try:
        return float(said) if isinstance(said, str | int | float) else None
    except ValueError:
        return None


def _system(said: object) -> int | None:
    text = str(said).upper().removeprefix("AS")
    return int(text) if text.isdecimal() else None
