"""Request ids: never issued twice, also after a crash, because a block of them is durable before one is issued."""

import sqlite3

from abuse_service.storage import statements

_IDS_A_BLOCK = 100_000
_LEFT_TO_RENEW = 50_000


def reserve_block(connection: sqlite3.Connection) -> tuple[int, int]:
    """The next block, first and last id."""
    row = connection.execute("SELECT value FROM meta WHERE name = 'next_request_id'").fetchone()
    first = int(row[0]) if row else 1
    connection.execute(statements.PUT_META, ("next_request_id", first + _IDS_A_BLOCK))
    return first, first + _IDS_A_BLOCK - 1


class RequestIds:
    """Issues ids from reserved blocks."""

    def __init__(self, block: tuple[int, int]) -> None:
        self._next, self._last = block
        self._is_renewing = False

    def issue(self) -> int:
        """The next id, 0 when all that are reserved were issued."""
        if self._next > self._last:
            return 0
        self._next += 1
        return self._next - 1

    def wants_block(self) -> bool:
        """Whether a further block should be reserved now; true once until `renew` or `give_up`."""
        if self._is_renewing or self._last - self._next >= _LEFT_TO_RENEW:
            return False
        self._is_renewing = True
        return True

    def renew(self, block: tuple[int, int]) -> None:
        """Go on with a further block: it follows the one in use, or that one is used up."""
        self._is_renewing = False
        if self._next > self._last:
            self._next = block[0]
        self._last = block[1]

    def give_up(self) -> None:
        """No block could be reserved; the next issue asks again."""
        self._is_renewing = False
