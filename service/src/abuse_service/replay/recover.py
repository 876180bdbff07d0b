"""From the image on disk and the log behind it to the states of the moment when the service stopped."""

import msgspec

from abuse_service.decisions.standing import Standing
from abuse_service.errors import StorageUnavailable
from abuse_service.events.log import EventLog
from abuse_service.features.projection import Projection
from abuse_service.replay.retell import enforcement_of, retell
from abuse_service.replay.snapshot import STATE_FORMAT, Snapshot, Snapshots
from abuse_service.telemetry import log


class Recovered(msgspec.Struct, frozen=True):
    """What a recovery did."""

    position: int
    events: int
    is_enforced: bool | None
    left_out: int = 0


def recover(
    event_log: EventLog,
    snapshots: Snapshots,
    projection: Projection,
    standing: Standing,
    *,
    now_ms: int,
    policies: tuple[int, ...] = (),
) -> Recovered:
    """Fold what the image does not hold yet. An image of another format is discarded and all is folded again.

    Features that the image does not hold are left to be filled up to its position. ``policies`` are the positions of
    the policies' activations. An event that can't be folded is left out and logged by its position: it must not keep
    the service from starting.
    """
    snapshot = snapshots.latest_snapshot()
    if snapshot is not None and snapshot.state_format != STATE_FORMAT:
        snapshot = None
    if snapshot is None:
        snapshots.discard_snapshot()
    else:
        projection.states.joins.restore(snapshot.waiting, snapshot.releases)
        projection.restore(snapshot.kept, at_ms=now_ms, position=snapshot.position, ahead=snapshot.ahead)
    ahead = set(snapshot.ahead if snapshot else ())
    position = snapshot.position if snapshot else 0
    is_enforced = snapshot.is_enforced if snapshot else None
    if snapshot is not None:
        projection.reservations.restore(snapshot.reservations)
        standing.restore(snapshot.stood)
        for entity in snapshot.late:
            projection.erasures.note_late(entity, now_ms)
    events = left_out = 0
    cantake_images = True
    for stored in event_log.read(position):
        position = stored.position
        event = stored.event
        if event.request_id in ahead:
            ahead.discard(event.request_id or 0)
            projection.note_position(position, event)
            continue
        try:
            retell(projection, position, event)
            standing.take(position, event)
        except Exception:
            log.exception("an event can't be folded, it is left out", position=position)
            left_out += 1
        said = enforcement_of(event)
        is_enforced = is_enforced if said is None else said
        events += 1
        if projection.states.wants_cut and cantake_images:
            image = Snapshot(
                position=position,
                ahead=tuple(ahead),
                kept=projection.upkeep.sample(),
                is_enforced=is_enforced is not False,
                waiting=projection.states.joins.waiting,
                policies=tuple(place for place in policies if place <= position),
                reservations=projection.reservations.held(),
                stood=standing.stood(),
                late=tuple(projection.erasures.late),
            )
            cantake_images = take_image(snapshots, projection, image)
    return Recovered(position, events, is_enforced, left_out)


def take_image(snapshots: Snapshots, projection: Projection, image: Snapshot) -> bool:
    """Bring what was folded so far to disk, so that a long way is gone in steps and memory stays within its bound.

    False when the disk takes none: then the rest of the way is gone without.
    """
    states = projection.states
    states.begin_cut(image.position, image.ahead)
    cut = None
    while cut is None:
        cut = states.pack_some(1_000)
    try:
        snapshots.write_snapshot_now(cut, image)
    except StorageUnavailable:
        states.abandon_cut()
        log.warning("no snapshot on the way: the data directory takes no more writes")
        return False
    states.finish_cut()
    return True
