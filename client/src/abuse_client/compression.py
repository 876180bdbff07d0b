"""Bodies that leave compressed, where the service takes that and where it pays."""

import zlib

SMALLEST_BYTES = 1024
"""Below it a body fits one packet anyway."""

LEVEL = 1
"""A batch of events shrinks to a seventh at the cheapest level; the dearest halves that for ten times the time."""

_GZIP_WINDOW = 31

# What a service answers that does not know the coding: it takes the bytes for broken JSON, or says so outright.
_MAY_BE_THE_CODING = frozenset({400, 406, 415, 422})


class Compression:
    """Compresses once the service has said that it takes gzip (RFC 7694: ``Accept-Encoding`` in an answer)."""

    def __init__(self, *, is_wanted: bool) -> None:
        self._is_wanted = is_wanted
        self._is_taken = False

    def squeezed(self, body: bytes) -> bytes | None:
        """The body compressed, or ``None`` where it should leave as it is."""
        if not self._is_taken or len(body) < SMALLEST_BYTES:
            return None
        compressor = zlib.compressobj(LEVEL, wbits=_GZIP_WINDOW)
        smaller = compressor.compress(body) + compressor.flush()
        return smaller if len(smaller) < len(body) else None

    def learn(self, accepted: str | None) -> None:
        """Take in what an answer's ``Accept-Encoding`` says."""
        if accepted is not None:
            codings = (coding.partition(";")[0].strip().lower() for coding in accepted.split(","))
            self._is_taken = self._is_wanted and "gzip" in codings

    def refused(self, status: int) -> bool:
        """Whether an answer to a compressed body may be about the coding: then it is to be sent again as it is."""
        if status not in _MAY_BE_THE_CODING:
            return False
        self._is_taken = False
        return True
