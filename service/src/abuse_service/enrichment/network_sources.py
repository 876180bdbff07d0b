"""The files about networks that the settings name, read at the start and again when they change."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from abuse_service.enrichment.atlas import Atlas, read_files
from abuse_service.enrichment.enricher import Enricher
from abuse_service.enrichment.network import read_ranges
from abuse_service.telemetry import Metrics, log

_LOOK_SECONDS = 60.0

Stamp = tuple[int, int, int] | None
"""Time of change, size and inode of a file; ``None`` where there is none."""


class NetworkSources:
    """Where the data about networks come from."""

    def __init__(self, hosting: Path | None, files: Sequence[Path]) -> None:
        self._hosting = hosting
        self._files = files

    @property
    def is_fixed(self) -> bool:
        """Whether nothing can change: what ships is all there is."""
        return self._hosting is None and not self._files

    def read(self) -> Atlas:
        """All of them, as they are now. Raises `OSError`, or `UnreadableFile` for what does not hold together."""
        return Atlas(read_ranges(self._hosting), read_files(self._files))

    def stamps(self) -> tuple[Stamp, ...]:
        """What differs once a file was changed or replaced."""
        return tuple(_stamp(path) for path in (self._hosting, *self._files) if path is not None)


class NetworkKeeper:
    """Watches the files: new ones count from the next event on; broken ones are told, and the old data stay."""

    def __init__(self, sources: NetworkSources, seen: tuple[Stamp, ...], enricher: Enricher, metrics: Metrics) -> None:
        """``seen`` are the stamps from before the enricher's data were read."""
        self._sources = sources
        self._seen = seen
        self._enricher = enricher
        self._metrics = metrics
        self._tell()

    async def keep(self) -> None:
        """Look after them for as long as the service runs, beside the requests."""
        while not self._sources.is_fixed:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.look()

    async def look(self) -> bool:
        """Take what changed since the last look; whether other data hold now."""
        # Stamped before it is read: what changes meanwhile differs at the next look.
        stamps = await asyncio.to_thread(self._sources.stamps)
        if stamps == self._seen:
            return False
        self._seen = stamps
        before = self._enricher.version
        try:
            self._enricher.use(await asyncio.to_thread(self._sources.read))
        except Exception as error:
            # Whatever a file may hold: those who watch must not end by it.
            self._metrics.network_files_refused.set(1)
            log.error("new files about networks are refused, the data read before stay in force", fault=str(error))
            return False
        self._metrics.network_files_refused.set(0)
        self._tell()
        if self._enricher.version != before:
            log.info("files about networks were read again", version=self._enricher.version)
        return self._enricher.version != before

    def _tell(self) -> None:
        self._metrics.offline_data.info({"version": self._enricher.version})


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
