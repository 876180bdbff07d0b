"""The statements that write.

Each handles any number of rows in one step, which runs without Python's interpreter lock: a statement a row would take
and give back the lock once a row, and under load wait for it every time.
"""

ADD_BLOCK = "INSERT INTO block (position, events, body, checksum) VALUES (?, ?, ?, ?)"
PUT_SCRUBBED = "INSERT OR REPLACE INTO scrubbed (position, body, checksum) VALUES (?, ?, ?)"

# Which of the keys, 16 bytes each in one blob, are known: "index:content" joined by commas.
KNOWN_KEYS = """
WITH RECURSIVE place(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM place WHERE i + 1 < :count)
SELECT group_concat(i || ':' || coalesce(hex(content), ''))
FROM place CROSS JOIN event_key ON key = substr(:keys, i * 16 + 1, 16)
"""

# Where the known ones of some keys stand: their place among :keys, and the position.
KEY_POSITIONS = """
WITH RECURSIVE place(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM place WHERE i + 1 < :count)
SELECT i, position FROM place CROSS JOIN event_key ON key = substr(:keys, i * 16 + 1, 16)
"""

# :keys is one blob of 16 bytes a key, :contents one of 8 bytes a key, zeros for none; :positions a JSON list.
ADD_KEYS = """
INSERT OR IGNORE INTO event_key (key, position, content)
SELECT substr(:keys, key * 16 + 1, 16), value, nullif(substr(:contents, key * 8 + 1, 8), zeroblob(8))
FROM json_each(:positions)
"""

# :requests is a JSON list of [request_id, position].
ADD_REQUESTS = """
INSERT OR IGNORE INTO request (request_id, position)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:requests)
"""

# :keys is one blob of 17 bytes a key, :bodies one blob, :spans a JSON list of [offset from 1, length]. {table} is one
# of the tables of states.
PUT_STATES = """
INSERT INTO {table} (key, body)
SELECT substr(:keys, key * 17 + 1, 17), substr(:bodies, json_extract(value, '$[0]'), json_extract(value, '$[1]'))
FROM json_each(:spans) WHERE true
ON CONFLICT (key) DO UPDATE SET body = excluded.body
"""

# :ids and :owners are one blob of 17 bytes a row, :positions a JSON list. Of equal claims the first stays.
ADD_CLAIMS = """
INSERT OR IGNORE INTO claim (stripe_id, owner, position)
SELECT substr(:ids, key * 17 + 1, 17), substr(:owners, key * 17 + 1, 17), value FROM json_each(:positions)
"""

# :ids is one blob of 17 bytes a row, :positions a JSON list.
ADD_UNNAMED = """
INSERT OR IGNORE INTO unnamed (stripe_id, position)
SELECT substr(:ids, key * 17 + 1, 17), value FROM json_each(:positions)
"""

# :keys is one blob of 17 bytes an identity; :rows a JSON list of [place of the identity from 0, newest_ms, position,
# oldest_ms, mask, offset from 1, length] into :bodies. The same chunk again, from a cut that did not come to its end,
# may hold more.
PUT_CHUNKS = """
INSERT OR REPLACE INTO timeline (identity, newest_ms, position, oldest_ms, mask, body)
SELECT substr(:keys, json_extract(value, '$[0]') * 17 + 1, 17), json_extract(value, '$[1]'),
    json_extract(value, '$[2]'), json_extract(value, '$[3]'), json_extract(value, '$[4]'),
    substr(:bodies, json_extract(value, '$[5]'), json_extract(value, '$[6]'))
FROM json_each(:rows) ORDER BY 1, 2
"""

# :pairs is one blob of 34 bytes a pair, :count how many.
ADD_CROWD = """
WITH RECURSIVE place(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM place WHERE i + 1 < :count)
INSERT OR IGNORE INTO crowd (entity, identity)
SELECT substr(:pairs, i * 34 + 1, 17), substr(:pairs, i * 34 + 18, 17) FROM place ORDER BY 1, 2
"""

# :keys is one blob of 17 bytes a mark, :marks a JSON list. A mark that stays costs no write.
PUT_MARKS = """
INSERT INTO mark (identity, mark)
SELECT substr(:keys, key * 17 + 1, 17), value FROM json_each(:marks) WHERE true ORDER BY 1
ON CONFLICT (identity) DO UPDATE SET mark = excluded.mark WHERE mark.mark != excluded.mark
"""

PUT_SNAPSHOT = """
INSERT INTO snapshot (one, position, body) VALUES (1, ?, ?)
ON CONFLICT (one) DO UPDATE SET position = excluded.position, body = excluded.body
"""

PUT_META = """
INSERT INTO meta (name, value) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""

# :keys is one blob of 17 bytes an erasure, :times a JSON list of when each was asked for.
ADD_ERASURES = """
INSERT OR IGNORE INTO erasure (entity, requested_at_ms)
SELECT substr(:keys, key * 17 + 1, 17), value FROM json_each(:times)
"""

ADD_REJECTED = """
INSERT INTO rejected (received_at_ms, source, place, path, message, body) VALUES (?, ?, ?, ?, ?, ?)
"""
