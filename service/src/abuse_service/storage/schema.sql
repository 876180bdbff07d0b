-- What one data directory keeps. The log (block, and scrubbed where events of it were erased) is the truth; event_key and
-- request index it; the tables of states (storage/states.py), claim, unnamed, timeline, crowd, mark and snapshot are a
-- projection that can be rebuilt from it at any time.

CREATE TABLE IF NOT EXISTS meta (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

-- One row for all events that were committed together: length-prefixed MessagePack lists, one an append. The checksum
-- is over position and body (storage/blocks.py), and missing where a version before format 7 wrote the row.
CREATE TABLE IF NOT EXISTS block (
    position INTEGER PRIMARY KEY CHECK (position > 0),
    events   INTEGER NOT NULL CHECK (events > 0),
    body     BLOB    NOT NULL,
    checksum INTEGER
);

-- The events of which the block says that they are gone, as an erasure left them, and the few that outlive the log where
-- it was dropped: MessagePack.
CREATE TABLE IF NOT EXISTS scrubbed (
    position INTEGER PRIMARY KEY CHECK (position > 0),
    body     BLOB NOT NULL,
    checksum INTEGER
);

-- Who was erased, and when that was asked for; done once nothing of the person is left.
CREATE TABLE IF NOT EXISTS erasure (
    entity          BLOB PRIMARY KEY CHECK (length(entity) = 17),
    requested_at_ms INTEGER NOT NULL,
    done_at_ms      INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS erasure_requested ON erasure (requested_at_ms);

CREATE TABLE IF NOT EXISTS event_key (
    key      BLOB PRIMARY KEY CHECK (length(key) = 16),
    position INTEGER NOT NULL,
    content  BLOB
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS request (
    request_id INTEGER PRIMARY KEY CHECK (request_id > 0),
    position   INTEGER NOT NULL
);

-- Who claims a Stripe id: the keys of the id and of the owner's state, and the position at which that was learned.
CREATE TABLE IF NOT EXISTS claim (
    stripe_id BLOB    NOT NULL CHECK (length(stripe_id) = 17),
    owner     BLOB    NOT NULL CHECK (length(owner) = 17),
    position  INTEGER NOT NULL,
    PRIMARY KEY (stripe_id, owner)
) WITHOUT ROWID;

-- Which events carry a Stripe id and name no user.
CREATE TABLE IF NOT EXISTS unnamed (
    stripe_id BLOB    NOT NULL CHECK (length(stripe_id) = 17),
    position  INTEGER NOT NULL,
    PRIMARY KEY (stripe_id, position)
) WITHOUT ROWID;

-- Which events are whose: entries of one identity, oldest first, some hundred a row (identities/timeline.py).
CREATE TABLE IF NOT EXISTS timeline (
    identity  BLOB    NOT NULL CHECK (length(identity) = 17),
    newest_ms INTEGER NOT NULL,
    position  INTEGER NOT NULL,
    oldest_ms INTEGER NOT NULL,
    mask      INTEGER NOT NULL,
    body      BLOB    NOT NULL,
    PRIMARY KEY (identity, newest_ms, position)
) WITHOUT ROWID;

-- Who was seen with an entity whose state has no room to remember him.
CREATE TABLE IF NOT EXISTS crowd (
    entity   BLOB NOT NULL CHECK (length(entity) = 17),
    identity BLOB NOT NULL CHECK (length(identity) = 17),
    PRIMARY KEY (entity, identity)
) WITHOUT ROWID;

-- Block state and newest verdict of each identity, in one number (identities/mark.py).
CREATE TABLE IF NOT EXISTS mark (
    identity BLOB    PRIMARY KEY CHECK (length(identity) = 17),
    mark     INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS mark_identity ON mark (mark, identity);

CREATE TABLE IF NOT EXISTS snapshot (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    position INTEGER NOT NULL,
    body     BLOB NOT NULL
);

CREATE TABLE IF NOT EXISTS rejected (
    rejected_id    INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at_ms INTEGER NOT NULL,
    source         TEXT    NOT NULL,
    place          INTEGER NOT NULL,
    path           TEXT    NOT NULL,
    message        TEXT    NOT NULL,
    body           BLOB    NOT NULL,
    state          TEXT    NOT NULL DEFAULT 'waiting'
);
CREATE INDEX IF NOT EXISTS rejected_waiting ON rejected (rejected_id) WHERE state = 'waiting';
