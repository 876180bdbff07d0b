"""What an address says by itself, and that nothing anybody writes breaks the reading."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from abuse_service.enrichment.atlas import Atlas
from abuse_service.enrichment.enricher import Enricher
from abuse_service.enrichment.network import NetworkRanges, UnreadableFile, read_address, read_ranges
from abuse_service.enrichment.places import read_place

ENRICHER = Enricher(Atlas(NetworkRanges([])))


@pytest.mark.parametrize(
    ("raw", "ip", "network"),
    [
        ("192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
        (" 192.0.2.7:8080 ", "192.0.2.7", "192.0.2.0/24"),
        ("2001:db8:1:2::7", "2001:db8:1:2::7", "2001:db8:1::/48"),
        ("[2001:db8::7]", "2001:db8::7", "2001:db8::/48"),
        ("[2001:db8::7]:443", "2001:db8::7", "2001:db8::/48"),
        ("fe80::1%eth0", "fe80::1", "fe80::/48"),
        ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.0/24"),
    ],
)
def test_address_and_its_network(raw: str, ip: str, network: str) -> None:
    """An address is read with or without a port, and names its /24 or /48."""
    address = read_address(raw)
    assert address is not None
    assert (address.ip, address.network) == (ip, network)


@pytest.mark.parametrize(
    "raw", ["", " ", ",", "nonsense", "192.0.2.256", "192.0.2", "192.0.2.7 or so", "unknown", "::1::"]
)
def test_what_is_no_address(raw: str) -> None:
    """Text that is no address says nothing."""
    assert read_address(raw) is None


@pytest.mark.parametrize(
    ("proxies", "ip"), [(0, "192.0.2.3"), (1, "192.0.2.2"), (2, "192.0.2.1"), (3, "192.0.2.1"), (16, "192.0.2.1")]
)
def test_hops_are_read_from_the_right(proxies: int, ip: str) -> None:
    """Of a list of hops the one before the trusted proxies counts: what stands further left the client made up."""
    address = read_address("192.0.2.1, 192.0.2.2, 192.0.2.3", proxies)
    assert address is not None
    assert address.ip == ip


@pytest.mark.parametrize(
    ("ip", "inside"),
    [("192.0.2.0", True), ("192.0.2.127", True), ("192.0.2.128", False), ("192.0.1.255", False), ("2001:db8::1", True)],
)
def test_range_holds_its_edges(ip: str, inside: bool) -> None:
    """A range holds its first and its last address and no neighbour."""
    ranges = NetworkRanges(["192.0.2.64/26", "192.0.2.0/26", "2001:db8::/32"])
    address = read_address(ip)
    assert address is not None
    assert ranges.holds(address) is inside


def test_ranges_are_read_from_a_file(tmp_path: Path) -> None:
    """An operator's file has a network a line, and comments."""
    file = tmp_path / "networks"
    file.write_text("# ours\n192.0.2.0/24 # a comment\n\n")
    address = read_address("192.0.2.9")
    assert address is not None
    assert read_ranges(file).holds(address)
    assert not read_ranges(None).holds(address)
    file.write_text("192.0.2.0/24\nnonsense\n")
    with pytest.raises(UnreadableFile, match=r"networks line 2: expected a network .*'nonsense'"):
        read_ranges(file)


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_no_text_breaks_enrichment(address: str, mail: str, agent: str) -> None:
    """Whatever stands in the three fields, enrichment answers."""
    enriched = ENRICHER.enrich(address, f"{mail}@{agent}", agent, read_place(agent, None, None))
    assert enriched.network.is_hosting is False
