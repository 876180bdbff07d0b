"""What a network address says by itself."""

import bisect
import functools
import hashlib
import ipaddress
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

import msgspec

IPV4_PREFIX = 24
IPV6_PREFIX = 48
_LONGEST_ADDRESS = 128


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class UnreadableFile(ValueError):
    """A file about networks is not what it should be."""

    def __init__(self, path: Path | None, line: int | None, message: str) -> None:
        super().__init__(f"{path or 'the bundled list'}{f' line {line}' if line else ''}: {message}")


class Address(msgspec.Struct, frozen=True):
    """A client's address and the network around it: IPv4 /24, IPv6 /48."""

    ip: str
    network: str
    is_global: bool
    number: int
    version: int


def read_address(raw: str, trusted_proxies: int = 0) -> Address | None:
    """The client's address in a header value, or ``None``.

    A list (``x-forwarded-for``) is read from the right, past ``trusted_proxies`` entries that own proxies appended:
    whatever stands further left was said by the client.
    """
    hops = [hop.strip() for hop in raw.split(",") if hop.strip()]
    if not hops:
        return None
    hop = hops[max(0, len(hops) - 1 - trusted_proxies)]
    return _parse(hop) if len(hop) <= _LONGEST_ADDRESS else None


@functools.lru_cache(maxsize=5_000)
def _parse(text: str) -> Address | None:
    if text.startswith("["):
        bare = text[1:].split("]")[0]
    else:
        bare = text.split(":")[0] if text.count(":") == 1 else text
    try:
        ip = ipaddress.ip_address(bare.split("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    prefix = IPV4_PREFIX if ip.version == 4 else IPV6_PREFIX
    network = ipaddress.ip_network(f"{ip}/{prefix}", strict=False)
    return Address(str(ip), str(network), ip.is_global, int(ip), ip.version)


class NetworkRanges:
    """A set of networks that answers in logarithmic time whether an address lies in one."""

    def __init__(self, networks: Iterable[str | Network]) -> None:
        """``networks``, as CIDR texts or parsed. Raises `ValueError` for a text that is none."""
        self._starts: dict[int, list[int]] = {4: [], 6: []}
        self._ends: dict[int, list[int]] = {4: [], 6: []}
        parsed = [ipaddress.ip_network(network, strict=False) for network in networks]
        for version in (4, 6):
            same = [network for network in parsed if network.version == version]
            for network in ipaddress.collapse_addresses(same):  # type: ignore[type-var]
                self._starts[version].append(int(network.network_address))
                self._ends[version].append(int(network.broadcast_address))
        spans = repr((self._starts, self._ends)).encode()
        self.digest = hashlib.blake2b(spans, digest_size=4).hexdigest()

    def holds(self, address: Address) -> bool:
        """Whether the address lies in one of the networks."""
        starts = self._starts[address.version]
        at = bisect.bisect_right(starts, address.number) - 1
        return at >= 0 and address.number <= self._ends[address.version][at]


def read_ranges(path: Path | None) -> NetworkRanges:
    """The networks of a file (a CIDR a line, ``#`` starts a comment), or the bundled hosting networks.

    Raises `OSError`, or `UnreadableFile` with the line that is no network.
    """
    bundled = resources.files(__package__).joinpath("hosting_networks.txt")
    try:
        text = (path or bundled).read_text("utf-8")
    except UnicodeDecodeError:
        raise UnreadableFile(path, None, "expected text in UTF-8") from None
    networks = []
    for number, line in enumerate(text.splitlines(), start=1):
        if said := line.split("#")[0].strip():
            try:
                networks.append(ipaddress.ip_network(said, strict=False))
            except ValueError:
                wanted = "a network such as 192.0.2.0/24"
                raise UnreadableFile(path, number, f"expected {wanted}, found {said!r}") from None
    return NetworkRanges(networks)
