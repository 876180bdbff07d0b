"""Whose events are whose: pages of a timeline, in memory and on disk, held against a plain sorted list."""

import asyncio
import itertools
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abuse_service.events.event import Event
from abuse_service.identities import timeline
from abuse_service.identities.recent import Recent
from abuse_service.identities.states import States
from abuse_service.identities.timeline import (
    MOST_IN_CHUNK,
    SPAN_MS,
    Chunk,
    Entry,
    Wish,
    before_instant,
    chunks_of,
    entry_of,
    place_of,
    read_page,
    read_timeline,
)
from abuse_service.replay.snapshot import Snapshot
from abuse_service.storage.key_file import key_file_beside
from abuse_service.storage.store import SqliteStore
from abuse_service.testing import NOW_MS, MemoryColdStates, World, event, stripe_event

TYPES = ("user.blocked", "user.unblocked", "request.classified")
ADA = b"u" + b"a" * 16


def in_chunks(*parts: Sequence[Entry]) -> list[Chunk]:
    """Each part written by a cut of its own, as the disk gives them back."""
    chunks = [chunk for part in parts for chunk in chunks_of(sorted(part))]
    return sorted(chunks, key=lambda chunk: (chunk.newest_ms, chunk.position), reverse=True)


def that_may_matter(chunks: list[Chunk], wish: Wish) -> list[Chunk]:
    """Those that a store gives for a page."""
    if wish.before is None:
        return chunks
    at_ms = place_of(wish.before)[0]
    return [chunk for chunk in chunks if chunk.newest_ms <= at_ms + SPAN_MS and chunk.oldest_ms <= at_ms]


MOMENTS = st.tuples(st.integers(0, 40).map(lambda step: step * SPAN_MS // 6), st.sampled_from(TYPES))


@settings(max_examples=200)
@given(
    moments=st.lists(MOMENTS, max_size=60),
    cuts=st.lists(st.integers(0, 60), max_size=4),
    most=st.integers(1, 9),
    kinds=st.sets(st.sampled_from(TYPES)),
    since_ms=st.sampled_from([0, SPAN_MS, SPAN_MS * 3]),
    repeated=st.booleans(),
)
def test_pages_are_the_sorted_list(
    moments: list[tuple[int, str]], cuts: list[int], most: int, kinds: set[str], since_ms: int, repeated: bool
) -> None:
    """Pages one after the other are the entries by time and position, however they lie in chunks and in memory."""
    entries = [entry_of(at_ms, place + 1, name) for place, (at_ms, name) in enumerate(moments)]
    bounds = [0, *sorted(min(cut, len(entries)) for cut in cuts)]
    parts = [entries[start:end] for start, end in itertools.pairwise(bounds)]
    if repeated and parts:
        parts.append(parts[0])
    recent = [sorted(entries[bounds[-1] :])]
    chunks = in_chunks(*parts)
    read: list[Entry] = []
    before = None
    for _ in range(len(entries) + 2):
        wish = Wish(before=before, since_ms=since_ms, types=tuple(kinds), most=most)
        page = read_page(recent, that_may_matter(chunks, wish), wish)
        assert len(page.entries) <= most
        read += page.entries
        before = page.before
        if before is None:
            break
    wanted = [
        entry
        for entry, (at_ms, name) in zip(entries, moments, strict=True)
        if at_ms >= since_ms and (not kinds or name in kinds)
    ]
    assert read == sorted(wanted, reverse=True)


def test_page_that_looked_long_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A filter that leaves next to nothing ends a page early; its cursor goes on to the one event that fits."""
    monkeypatch.setattr(timeline, "MOST_CHUNKS", 3)
    entries = [
        entry_of(NOW_MS + place, place, "user.unblocked" if place > 1 else "user.blocked") for place in range(1, 30)
    ]
    chunks = in_chunks(*[[entry] for entry in entries])
    before, pages, found = None, 0, []
    while pages == 0 or before is not None:
        wish = Wish(before=before, types=("user.blocked",))
        page = read_page([], that_may_matter(chunks, wish), wish)
        before, pages, found = page.before, pages + 1, found + page.entries
    assert found == entries[:1]
    assert 5 < pages < 30


def test_chunks_are_bounded() -> None:
    """A chunk holds no more than its number of entries, and no more than its span of time."""
    close = [entry_of(NOW_MS + place, place, "t") for place in range(2000)]
    far = [entry_of(NOW_MS + place * SPAN_MS, place, "t") for place in range(2000, 2010)]
    chunks = list(chunks_of(close + far))
    assert b"".join(chunk.body for chunk in chunks) == b"".join(close + far)
    assert max(len(chunk.body) // 16 for chunk in chunks) == MOST_IN_CHUNK
    assert all(chunk.newest_ms - chunk.oldest_ms <= SPAN_MS for chunk in chunks)


def test_instant_bounds_from_below() -> None:
    """What happened at an instant lies above its bound, what happened before it below."""
    assert entry_of(NOW_MS, 1, "t") > before_instant(NOW_MS) > entry_of(NOW_MS - 1, 2**40, "t")


def test_abandoned_cut_keeps_all() -> None:
    """What a cut did not bring to disk is still known, in order."""
    recent = Recent()
    events = [Event("t", "cloud", NOW_MS + step, NOW_MS, b"{}") for step in (5, 1, 3, 2)]
    for place, one in enumerate(events[:2]):
        recent.note_event(ADA, place + 1, one)
    recent.note_crowd(b"i" * 17, ADA)
    recent.begin_cut()
    for place, one in enumerate(events[2:]):
        recent.note_event(ADA, place + 3, one)
    recent.abandon_cut()
    [entries] = recent.entries(ADA)
    assert [place_of(entry)[0] - NOW_MS for entry in entries] == [1, 2, 3, 5]
    assert recent.crowd(b"i" * 17) == {ADA}


# folded


def positions(world: World, identity: str = "user:u1") -> list[int]:
    """The positions of an identity's events, newest event time first."""
    recent = world.states.recent.entries(world.namer.identity(identity))
    return [place_of(entry)[1] for entry in read_page(recent, [], Wish()).entries]


def test_joined_event_is_its_owners() -> None:
    """An event that was joined by a Stripe id stands in its owner's timeline at its own time, once that is known."""
    world = World()
    world.send(stripe_event("stripe.charge.dispute.created", {"charge": "ch_1"}, at=NOW_MS - 5000))
    world.send(event("user.blocked", kilo_user_id="u1"))
    assert positions(world) == [2]
    world.send(stripe_event("stripe.charge.failed", {"charge": "ch_1", "id": "x"}, at=NOW_MS - 9000, kilo_user_id="u1"))
    assert positions(world) == [2, 1, 3]


def test_decisions_stand_in_the_timeline() -> None:
    """A request stands where its record stands in the log, not where it was answered; a retold log says the same."""
    world = World()
    world.sign_up(at=NOW_MS - 9)
    world.classify(at=NOW_MS - 8)
    world.report_cost(at=NOW_MS - 7)
    assert positions(world) == [3, 2, 1]
    assert positions(world.retold()) == [3, 2, 1]


# on disk


def read_all(store: SqliteStore, states: States, most: int = 7) -> list[tuple[int, int]]:
    """Every page of Ada's timeline."""
    found: list[tuple[int, int]] = []
    before = None
    while True:
        page = read_timeline(states.recent.entries(ADA), store.kept_index, ADA, Wish(before=before, most=most))
        found += map(place_of, page.entries)
        before = page.before
        if before is None:
            return found


async def test_timeline_survives_cuts(tmp_path: Path) -> None:
    """Entries go to disk with each cut; a page is the same whether they lie there, in memory, or on the way."""
    store = SqliteStore(tmp_path / "data", 2**24)
    store.start(asyncio.get_running_loop())
    states = States(MemoryColdStates(), 100)
    chance = random.Random(5)
    told: list[tuple[int, int]] = []
    for cut in range(6):
        for _ in range(40):
            at_ms = NOW_MS - chance.randrange(SPAN_MS * 4)
            told.append((at_ms, len(told) + 1))
            states.recent.note_event(ADA, len(told), Event("t", "cloud", at_ms, NOW_MS, b"{}"))
        assert read_all(store, states) == sorted(told, reverse=True)
        states.begin_cut(cut, ())
        packed = states.pack_some(10)
        assert packed is not None
        writing = asyncio.ensure_future(store.write_snapshot(packed, Snapshot(cut, ())))
        while not writing.done():
            assert read_all(store, states) == sorted(told, reverse=True)
            await asyncio.sleep(0)
        states.finish_cut()
        assert read_all(store, states) == sorted(told, reverse=True)
    store.close()
    shutil.copy(key_file_beside(tmp_path / "data"), key_file_beside(tmp_path / "copy"))
    again = SqliteStore(Path(shutil.copytree(tmp_path / "data", tmp_path / "copy")), 2**24)
    assert read_all(again, States(MemoryColdStates(), 100)) == sorted(told, reverse=True)
    again.discard_snapshot()
    assert read_all(again, States(MemoryColdStates(), 100)) == []
    again.close()
