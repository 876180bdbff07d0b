"""An operator's own list of networks: CSV, a network and its kind a line."""

import bisect
import csv
import hashlib
import ipaddress
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

from abuse_service.enrichment.network import Address, UnreadableFile


class NetworkKind(StrEnum):
    """What a network is for. ``none`` in an operator's list says: nothing special, whatever other data say."""

    ANONYMIZER = "anonymizer"
    HOSTING = "hosting"
    MOBILE = "mobile"
    PRIVATE = "private"
    NONE = "none"


Span = tuple[int, int, NetworkKind]
"""First and last address as numbers, and the kind."""


class KindRanges:
    """Networks of several kinds, of which the narrowest around an address counts; answers in logarithmic time."""

    def __init__(self, spans: Iterable[Span]) -> None:
        """``spans`` of one version; they lie within or beside each other, as networks do."""
        self._starts: list[int] = []
        self._kinds: list[NetworkKind | None] = []
        around: list[Span] = []
        for span in sorted(spans, key=lambda span: (span[0], -span[1])):
            self._close(around, span[0])
            self._begin(span[0], span[2])
            around.append(span)
        self._close(around, None)

    def find(self, number: int) -> NetworkKind | None:
        """The kind of the narrowest network that holds the address, or ``None``."""
        at = bisect.bisect_right(self._starts, number) - 1
        return self._kinds[at] if at >= 0 else None

    def _close(self, around: list[Span], before: int | None) -> None:
        """End every network that ends before an address, all of them for ``None``; the one around goes on."""
        while around and (before is None or around[-1][1] < before):
            _, last, _ = around.pop()
            self._begin(last + 1, around[-1][2] if around else None)

    def _begin(self, start: int, kind: NetworkKind | None) -> None:
        if self._starts and self._starts[-1] == start:
            self._kinds[-1] = kind
        elif not self._kinds or self._kinds[-1] != kind:
            self._starts.append(start)
            self._kinds.append(kind)


class NetworkFile:
    """What an operator says of networks, by address or by the number of the autonomous system."""

    def __init__(self, path: Path) -> None:
        """Raises `OSError`, or `UnreadableFile` with the line that does not hold together."""
        self.digest = digest_of(path)
        self._systems: dict[int, NetworkKind] = {}
        spans: dict[int, dict[tuple[int, int], Span]] = {4: {}, 6: {}}
        for line, said, kind in _rows(path):
            if said[:2].upper() == "AS" and said[2:].isdecimal():
                if self._systems.setdefault(int(said[2:]), kind) is not kind:
                    raise UnreadableFile(path, line, f"{said} has another kind further up")
                continue
            try:
                network = ipaddress.ip_network(said, strict=False)
            except ValueError:
                wanted = "a network such as 192.0.2.0/24 or a system such as AS64500"
                raise UnreadableFile(path, line, f"expected {wanted}, found {said!r}") from None
            first, last = int(network.network_address), int(network.broadcast_address)
            if spans[network.version].setdefault((first, last), (first, last, kind))[2] is not kind:
                raise UnreadableFile(path, line, f"{said} has another kind further up")
        self._ranges = {version: KindRanges(known.values()) for version, known in spans.items()}

    def kind_of(self, address: Address, system: int | None) -> NetworkKind | None:
        """The kind that the operator gave the network around an address, else its system, or ``None``."""
        kind = self._ranges[address.version].find(address.number)
        return kind if kind is not None or system is None else self._systems.get(system)


def digest_of(path: Path) -> str:
    """A few signs that stand for a file's content. Raises `OSError`."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=4)).hexdigest()


def _rows(path: Path) -> Iterable[tuple[int, str, NetworkKind]]:
    """Line, network and kind of each row behind the header; ``#`` starts a comment."""
    try:
        # Excel begins a file with a mark.
        lines = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UnreadableFile(path, None, "expected text in UTF-8") from None
    columns: tuple[int, int] | None = None
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in next(csv.reader([line.split("#")[0]]), [])]
        if not any(cells):
            continue
        if columns is None:
            if not {"network", "kind"} <= set(cells):
                raise UnreadableFile(path, number, "expected a header with the columns network and kind")
            columns = cells.index("network"), cells.index("kind")
            continue
        if len(cells) <= max(columns):
            raise UnreadableFile(path, number, "expected a network and a kind")
        network, kind = (cells[column] for column in columns)
        if kind not in NetworkKind.__members__.values():
            kinds = ", ".join(NetworkKind)
            raise UnreadableFile(path, number, f"expected one of {kinds}, found {kind!r}")
        yield number, network, NetworkKind(kind)
    if columns is None:
        raise UnreadableFile(path, None, "expected a header with the columns network and kind")
