"""What was spent by the hour or by the day, packed: the newest that had any cost.

An hour that is given up is older than all that are kept, and stays so: the rows are the same in any order of arrival.
"""

import struct
from collections.abc import Iterator

from abuse_service.identities.merge import add_bounded

_ROW = struct.Struct(">Iq")
"""Number of the hour or day since 1970, microdollars."""
_SIZE = _ROW.size
_TOTAL_AT = 4
_unpack = _ROW.unpack_from
_pack_total = struct.Struct(">q").pack_into
_LAST = 2**32 - 1


def add_spend(rows: bytearray, number: int, microdollars: int, most: int) -> None:
    """Add to the row of an hour or a day."""
    place = len(rows) - _SIZE
    while place >= 0:
        known, total = _unpack(rows, place)
        if known == number:
            _pack_total(rows, place + _TOTAL_AT, add_bounded(total, microdollars))
            return
        if known < number:
            break
        place -= _SIZE
    rows[place + _SIZE : place + _SIZE] = _ROW.pack(min(number, _LAST), add_bounded(0, microdollars))
    if len(rows) > most * _SIZE:
        del rows[:_SIZE]


def read_spend(rows: bytearray) -> Iterator[tuple[int, int]]:
    """Number of the hour or day, and microdollars, oldest first."""
    return _ROW.iter_unpack(rows)
