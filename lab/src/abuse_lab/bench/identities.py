"""``bench identities``: reading and changing a record, and a page of a long timeline, against bare SQLite.

In process, over a real store: what HTTP and JSON cost is the other benchmarks' matter.
"""

import asyncio
import gc
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from abuse_lab.bench.figures import UNIT, Figure, Result, at_least, at_most, gather
from abuse_lab.bench.lives import EVENTS_A_LIFE
from abuse_lab.bench.load import percentile
from abuse_lab.bench.long_life import EventRows, LongLife, Place
from abuse_lab.bench.options import Options
from abuse_lab.bench.record_rows import BareRows, Crowd, Moment
from abuse_lab.bench.runs import NotAsSent, fresh_seed
from abuse_service.settings import Settings
from abuse_service.wiring import Service

TURNS = 10
ROWS = 50
SITTING = EVENTS_A_LIFE
"""Events of a person who is at work, until somebody else is."""
PEOPLE_AT_WORK = 1_000


def measure(options: Options) -> Result:
    """``read_vs_sqlite``, ``update_vs_sqlite`` and ``timeline_p99_vs_query``."""
    identities = options.pick(full=50_000, quick=300)
    steps = options.pick(full=20_000, quick=1_000)
    events = options.pick(full=1_000_000, quick=5_000)
    pages = options.pick(full=2_000, quick=100)
    with tempfile.TemporaryDirectory(prefix="abuse-bench-") as directory:
        records = asyncio.run(_over_records(Path(directory), identities, steps, options.runs))
    with tempfile.TemporaryDirectory(prefix="abuse-bench-") as directory:
        timelines = asyncio.run(_over_timeline(Path(directory), events, pages, options.runs))
    upsert = "bare SQLite: an upsert of the same row each time, a commit where ours is on disk (WAL, FULL), in turns"
    query = f"the bare query on an indexed table (identity, occurred_at, position) of {events:,} rows, in turns"
    work = f"events folded until all is on disk and at rest, {PEOPLE_AT_WORK:,} people at a time, {SITTING} events each"
    against = {
        "read_vs_sqlite": (
            f"bare SQLite giving the row's bytes, {identities:,} identities at random, settings as they ship, in turns",
            at_least(0.5),
        ),
        "update_vs_sqlite": (f"{upsert}; {work}", at_least(0.5)),
        "lone_update_vs_sqlite": (f"{upsert}; each event another of {identities:,} people's, all at rest", None),
        "timeline_p99_vs_query": (f"{query}: places of {ROWS} events, anywhere in the life", at_most(3)),
        "events_p99_vs_rows": (f"{query}, joined to a table with a row an event: {ROWS} events themselves", None),
    }
    return Result(
        bench="identities",
        is_quick=options.is_quick,
        figures={
            name: Figure(runs=values, against=against.get(name, (UNIT, None))[0], goal=against.get(name, ("", None))[1])
            for name, values in (records | timelines).items()
        },
    )


async def _over_records(place: Path, identities: int, steps: int, runs: int) -> dict[str, tuple[float, ...]]:
    service = Service(Settings(data=place / "data"))
    service.store.start(asyncio.get_running_loop())
    gc.disable()  # a service freezes what it holds
    crowd = Crowd(service, identities)
    await crowd.live()
    bare = BareRows(place / "bare.db", service, crowd.keys)
    found = [await _records_run(crowd, bare, steps, number) for number in range(runs)]
    gc.enable()
    bare.close()
    await service.stop()
    return gather(found)


async def _records_run(crowd: Crowd, bare: BareRows, steps: int, number: int) -> dict[str, float]:
    chance = random.Random(fresh_seed())
    read = bare_read = 0.0
    for turn in range(TURNS):
        some = chance.choices(crowd.keys, k=steps // TURNS)
        if (number + turn) % 2:
            bare_read += bare.read(some)
        read += crowd.read(some)
        if not (number + turn) % 2:
            bare_read += bare.read(some)
    groups = max(1, steps // (PEOPLE_AT_WORK * SITTING))
    sittings = [one for _ in range(groups) for one in crowd.moments(PEOPLE_AT_WORK, steps // groups)]
    update, bare_update = await _change(crowd, bare, sittings, is_bare_first=bool(number % 2))
    lone, bare_lone = await _change(crowd, bare, crowd.moments(len(crowd.keys), steps), is_bare_first=bool(number % 2))
    seconds = {"read": read, "sqlite_read": bare_read, "update": update, "sqlite_update": bare_update, "lone": lone}
    return {
        "read_vs_sqlite": bare_read / read,
        "update_vs_sqlite": bare_update / update,
        "lone_update_vs_sqlite": bare_lone / lone,
        "row_bytes": bare.mean_bytes,
    } | {f"{name}_us": 1e6 * spent / steps for name, spent in seconds.items()}


async def _change(crowd: Crowd, bare: BareRows, moments: list[Moment], *, is_bare_first: bool) -> tuple[float, float]:
    keys = [event.identity_entity or b"" for event, _ in moments]
    await crowd.settle()
    plain = bare.upsert(keys) if is_bare_first else 0.0
    ours = await crowd.change(moments)
    return ours, plain if is_bare_first else bare.upsert(keys)


async def _over_timeline(place: Path, events: int, pages: int, runs: int) -> dict[str, tuple[float, ...]]:
    service = Service(Settings(data=place / "data"))
    service.store.start(asyncio.get_running_loop())
    gc.disable()
    life = LongLife(service, fresh_seed())
    await life.live(events)
    rows = EventRows(place / "bare.db", service, life)
    found = [_timeline_run(life, rows, pages, number) for number in range(runs)]
    gc.enable()
    rows.close()
    await service.stop()
    return gather(found)


def _timeline_run(life: LongLife, rows: EventRows, pages: int, number: int) -> dict[str, float]:
    subjects: dict[str, Callable[[Place, int], Sequence[object]]] = {
        "timeline": life.page,
        "query": rows.page,
        "events": life.events,
        "rows": rows.events,
    }
    seconds: dict[str, list[float]] = {name: [] for name in subjects}
    for turn, bound in enumerate(life.bounds(pages)):
        lengths = set()
        for name in subjects if (number + turn) % 2 else reversed(subjects):
            begun = time.perf_counter()
            found = subjects[name](bound, ROWS)
            seconds[name].append(time.perf_counter() - begun)
            lengths.add(len(found))
        if len(lengths) != 1:
            raise NotAsSent("two ways of reading a page found pages of two lengths")
    at = {name: percentile(spent, 0.99) for name, spent in seconds.items()}
    return {
        "timeline_p99_vs_query": at["timeline"] / at["query"],
        "events_p99_vs_rows": at["events"] / at["rows"],
    } | {f"{name}_p99_us": 1e6 * spent for name, spent in at.items()}
