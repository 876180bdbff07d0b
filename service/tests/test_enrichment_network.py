"""What an operator's files and the lists that ship say of networks and places."""

import ipaddress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from abuse_service.enrichment.atlas import Atlas, Known, read_files
from abuse_service.enrichment.enricher import Enricher
from abuse_service.enrichment.mmdb import MmdbFile, Said, read_record
from abuse_service.enrichment.network import NetworkRanges, UnreadableFile, read_address, read_ranges
from abuse_service.enrichment.network_file import KindRanges, NetworkFile, NetworkKind
from abuse_service.enrichment.places import Place, read_place
from abuse_service.errors import RefusedToStart
from abuse_service.events.event import Event, Facts
from abuse_service.intake.entities import facts_of
from abuse_service.settings import Settings
from abuse_service.testing import HOSTING_NETWORK, NOW_MS, World
from abuse_service.wiring import Service

KINDS = [NetworkKind.ANONYMIZER, NetworkKind.HOSTING, NetworkKind.MOBILE, NetworkKind.NONE]


def csv_of(folder: Path, *rows: str) -> Path:
    """An operator's list with these rows."""
    path = folder / "networks.csv"
    path.write_text("\n".join(["network,kind", *rows]) + "\n")
    return path


def mmdb_of(folder: Path, records: dict[str, dict[str, Any]], name: str = "city.mmdb") -> Path:
    """A MaxMind database with these records."""
    writer = MMDBWriter(6, "Test", ipv4_compatible=True)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    path = folder / name
    writer.to_db_file(str(path))
    return path


def found(atlas: Atlas, ip: str) -> Known:
    """What is known of an address."""
    address = read_address(ip)
    assert address is not None
    return atlas.find(address)


def test_narrowest_network_of_a_list_counts(tmp_path: Path) -> None:
    """A network within another one has its own kind, and the outer one goes on behind it."""
    path = csv_of(
        tmp_path,
        "# ours",
        "8.8.0.0/16,hosting",
        "8.8.8.0/24,anonymizer # a tunnel",
        "8.8.8.8/32,none",
        "2001:4860::/32,mobile",
        "",
    )
    atlas = Atlas(NetworkRanges([]), [NetworkFile(path)])
    asked = (
        "8.7.255.255",
        "8.8.0.0",
        "8.8.7.255",
        "8.8.8.7",
        "8.8.8.8",
        "8.8.8.9",
        "8.8.9.0",
        "8.9.0.0",
        "2001:4860::1",
    )
    kinds = [found(atlas, ip).kind for ip in asked]
    assert kinds == ["", "hosting", "hosting", "anonymizer", "", "anonymizer", "hosting", "", "mobile"]


@given(
    st.lists(st.tuples(st.integers(0, 255), st.integers(24, 32), st.sampled_from(KINDS)), max_size=12),
    st.integers(0, 255),
)
def test_ranges_find_what_a_search_finds(entries: list[tuple[int, int, NetworkKind]], last: int) -> None:
    """The bisected ranges answer as a look at every network would, whatever order they came in."""
    networks = {ipaddress.ip_network(f"192.0.2.{low}/{prefix}", strict=False): kind for low, prefix, kind in entries}
    spans = [(int(net.network_address), int(net.broadcast_address), kind) for net, kind in networks.items()]
    address = ipaddress.ip_address(f"192.0.2.{last}")
    around = [net for net in networks if address in net]
    expected = networks[max(around, key=lambda net: net.prefixlen)] if around else None
    assert KindRanges(spans).find(int(address)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "networks.csv: expected a header with the columns network and kind"),
        ("8.8.8.0/24,hosting\n", "networks.csv line 1: expected a header with the columns network and kind"),
        ("network,kind\n\nnonsense,hosting\n", "networks.csv line 3: expected a network such as 192.0.2.0/24"),
        ("network,kind\n8.8.8.0/24\n", "networks.csv line 2: expected a network and a kind"),
        ("network,kind\n8.8.8.0/24,evil\n", "networks.csv line 2: expected one of anonymizer, hosting, mobile"),
        ("network,kind\n8.8.8.0/24,hosting\n8.8.8.0/24,none\n", "line 3: 8.8.8.0/24 has another kind further up"),
        ("network,kind\nAS64500,hosting\nas64500,none\n", "line 3: as64500 has another kind further up"),
        ("network,kind\n\udcff,hosting\n", "networks.csv: expected text in UTF-8"),
    ],
)
def test_bad_list_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """A list that does not hold together names its file, its line and what was expected there."""
    path = tmp_path / "networks.csv"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UnreadableFile) as refused:
        NetworkFile(path)
    assert message in str(refused.value)


def test_columns_stand_in_any_order(tmp_path: Path) -> None:
    """The header says which column is which; further ones and Excel's mark at the start do no harm."""
    path = tmp_path / "networks.csv"
    path.write_bytes("\ufeffnote,kind,network\nours,hosting,8.8.8.0/24\n".encode())
    assert found(Atlas(NetworkRanges([]), [NetworkFile(path)]), "8.8.8.8").kind == "hosting"


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"country": {"iso_code": "DE"}}, Said(place=Place("DE"))),
        (
            {"country": {"iso_code": "DE"}, "location": {"latitude": 52.5167, "longitude": 13.4}},
            Said(place=Place("DE", 52.5, 13.4)),
        ),
        ({"autonomous_system_number": 64500, "autonomous_system_organization": "Example"}, Said(system=64500)),
        ({"is_anonymous": True, "is_anonymous_vpn": True}, Said(frozenset({NetworkKind.ANONYMIZER}))),
        ({"is_anonymous": True, "is_hosting_provider": True}, Said(frozenset({NetworkKind.HOSTING}))),
        ({"is_anonymous": True}, Said(frozenset({NetworkKind.ANONYMIZER}))),
        (
            {"is_hosting_provider": True, "is_tor_exit_node": True},
            Said(frozenset({NetworkKind.HOSTING, NetworkKind.ANONYMIZER})),
        ),
        ({"connection_type": "Cellular"}, Said(frozenset({NetworkKind.MOBILE}))),
        ({"traits": {"user_type": "hosting"}}, Said(frozenset({NetworkKind.HOSTING}))),
        (
            {"traits": {"user_type": "cellular", "autonomous_system_number": 64500}},
            Said(frozenset({NetworkKind.MOBILE}), system=64500),
        ),
        (
            {"country_code": "US", "country": "United States", "asn": "AS64500", "lat": "37.4", "lng": "-122.1"},
            Said(place=Place("US", 37.4, -122.1), system=64500),
        ),
        ({"country": 7, "location": [], "traits": "", "asn": None, "vpn": "false"}, Said()),
        ({}, Said()),
    ],
)
def test_records_of_usual_databases_are_read(record: dict[str, Any], said: Said) -> None:
    """Country, city, system, anonymity and connection databases are read alike; what is not there says nothing."""
    assert read_record(record) == said


def test_database_is_read(tmp_path: Path) -> None:
    """A database answers for the addresses that it holds, of both versions, and for no others."""
    records = {"8.8.8.0/24": {"country": {"iso_code": "US"}}, "2001:4860::/32": {"is_anonymous_vpn": True}}
    atlas = Atlas(NetworkRanges([]), [MmdbFile(mmdb_of(tmp_path, records))])
    assert found(atlas, "8.8.8.8").place == Place("US")
    assert found(atlas, "2001:4860::8").kind == "anonymizer"
    assert found(atlas, "9.9.9.9") == Known()


@pytest.mark.parametrize("content", [b"", b"no database", b"\xab\xcd\xefMaxMind.com"])
def test_what_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that is no database is refused by its name."""
    path = tmp_path / "city.mmdb"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile, match=r"city\.mmdb: expected a MaxMind database"):
        read_files([path])


def test_operators_word_goes_first(tmp_path: Path) -> None:
    """A list goes before databases, those before what ships; a system counts where no network is named."""
    database = mmdb_of(
        tmp_path,
        {
            "8.8.0.0/16": {"is_anonymous_vpn": True, "autonomous_system_number": 64500, "country": {"iso_code": "US"}},
            "9.9.9.0/24": {"is_anonymous_vpn": True},
        },
    )
    own = csv_of(tmp_path, "8.8.8.0/24,none", "AS64500,mobile", "10.0.0.0/8,none")
    atlas = Atlas(NetworkRanges(["9.9.0.0/16", "8.8.8.0/24"]), read_files([database, own]))
    assert found(atlas, "8.8.8.8") == Known("", False, Place("US"))
    assert found(atlas, "8.8.9.9") == Known("mobile", False, Place("US"))
    assert found(atlas, "9.9.9.9") == Known("anonymizer", True)
    assert found(atlas, "9.9.8.8") == Known("hosting", True)
    assert found(atlas, "10.1.1.1") == Known()


@pytest.mark.parametrize(
    "ip",
    ["10.0.0.1", "192.168.1.1", "127.0.0.1", "169.254.1.1", "100.64.0.1", "192.0.2.1", "::1", "fe80::1", "fd00::1"],
)
def test_addresses_of_no_public_network_are_private(ip: str) -> None:
    """Private, local, shared and reserved addresses are known without any file."""
    assert found(Atlas(read_ranges(None)), ip) == Known("private")


def test_places_of_two_databases_are_not_mixed(tmp_path: Path) -> None:
    """Coordinates complete a country only where both name the same one."""
    country = mmdb_of(tmp_path, {"8.8.0.0/16": {"country": {"iso_code": "US"}}}, "country.mmdb")
    said = {"country": {"iso_code": "US"}, "location": {"latitude": 37.4, "longitude": -122.1}}
    other = {"country": {"iso_code": "DE"}, "location": {"latitude": 52.5, "longitude": 13.4}}
    city = mmdb_of(tmp_path, {"8.8.8.0/24": said, "8.8.4.0/24": other})
    atlas = Atlas(NetworkRanges([]), read_files([country, city]))
    assert found(atlas, "8.8.8.8").place == Place("US", 37.4, -122.1)
    assert found(atlas, "8.8.4.4").place == Place("US")


def test_senders_place_fills_what_no_file_knows(tmp_path: Path) -> None:
    """Where the address is, the operator's database says; the sender's own fields count where it knows nothing."""
    files = read_files([mmdb_of(tmp_path, {"8.8.8.0/24": {"country": {"iso_code": "US"}}})])
    enricher = Enricher(Atlas(NetworkRanges([]), files))
    claimed = read_place("DE", 52.52, 13.405)
    assert enricher.enrich("8.8.8.8", None, None, claimed).place == Place("US")
    assert enricher.enrich("9.9.9.9", None, None, claimed).place == Place("DE", 52.5, 13.4)
    assert enricher.enrich(None, None, None, claimed).place == Place("DE", 52.5, 13.4)


def test_exit_of_tor_is_an_anonymizer() -> None:
    """An edge network says T1 for a country where the address is an exit of Tor."""
    facts = facts_of(Enricher(Atlas(NetworkRanges([]))).enrich("9.9.9.9", None, None, read_place("T1", None, None)))
    assert (facts.network_kind, facts.country) == ("anonymizer", "")


def test_version_changes_with_every_file(tmp_path: Path) -> None:
    """The version names our reading, each package and a digest that any file changes."""
    lists = [NetworkFile(csv_of(tmp_path, row)) for row in ("8.8.8.0/24,hosting", "8.8.8.0/24,mobile")]
    versions = [Enricher(Atlas(NetworkRanges([]))).version, Enricher(Atlas(read_ranges(None))).version]
    versions += [Enricher(Atlas(NetworkRanges([]), [own])).version for own in lists]
    assert len(set(versions)) == 4
    assert all(" mc=" in version and " ded=" in version for version in versions)


@pytest.mark.parametrize("setting", ["hosting_networks", "network_files"])
def test_bad_file_refuses_the_start(tmp_path: Path, setting: str) -> None:
    """A file that does not hold together, or is not there, stops the start and names itself."""
    bad, missing = tmp_path / "bad.csv", tmp_path / "missing.csv"
    bad.write_text("network,kind\nnonsense,hosting\n")
    for path, message in ((bad, r"bad\.csv line"), (missing, r"missing\.csv")):
        said = {setting: [path] if setting == "network_files" else path}
        with pytest.raises(RefusedToStart, match=f"can't read hosting_networks or network_files: .*{message}"):
            Service(Settings(data=tmp_path / "data", **said))


def test_facts_are_those_of_then() -> None:
    """What was stamped is read again from the log's bytes, whatever other data would say today."""
    world = World()
    world.sign_up(ip_address=HOSTING_NETWORK.replace("0/24", "7"), email="ada+x@mailinator.com", user_agent="curl/8")
    stored = next(iter(world.log.read(0))).event
    today = facts_of(Enricher(Atlas(NetworkRanges([]))).enrich("198.51.100.7", "ada+x@mailinator.com", "curl/8"))
    reread = msgspec.msgpack.decode(msgspec.msgpack.encode(stored), type=Event)
    assert stored.facts is not None
    assert reread.facts == stored.facts
    assert (reread.facts.is_hosting, today.is_hosting) == (True, False)
    assert reread.facts.version != today.version
    assert world.retold().identity("user:u1").is_hosting


def test_facts_recorded_before_still_read() -> None:
    """Facts that were written with fewer fields read with the newer ones empty."""
    old = msgspec.msgpack.encode([True, False, True, 3, "1"])
    facts = msgspec.msgpack.decode(old, type=Facts)
    assert facts == Facts(is_hosting=True, is_library_agent=True, mailbox_digits=3, version="1")
    assert facts.latitude is None


def test_facts_hold_no_address() -> None:
    """No name, address or exact place stands in the facts."""
    world = World()
    world.classify(
        at=NOW_MS, ip_address="192.0.2.77", user_agent="ada's own/1", geo_country="DE", geo_latitude=52.51627
    )
    world.sign_in(email="lovelace@example.com", ip_address="192.0.2.77")
    text = b"".join(msgspec.msgpack.encode(stored.event.facts) for stored in world.log.read(0))
    assert not any(personal in text for personal in (b"192.0.2", b"lovelace", b"example.com", b"ada", b"52.51"))
