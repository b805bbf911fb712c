-- Control state of one lake: what was ingested, what was set aside, which pipeline runs there were.

-- One row per source that was ingested (a file by its content, or a stream's partition).
CREATE TABLE ingests (
    source       TEXT PRIMARY KEY,          -- as in the events' column `source`
    name         TEXT NOT NULL,             -- what a person calls it: a path, a topic
    mapping      TEXT NOT NULL,
    started_at   TEXT NOT NULL,             -- ISO 8601, UTC
    finished_at  TEXT,                      -- NULL while unfinished
    position     INTEGER NOT NULL DEFAULT 0,
    rejected     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One row per message that was no event. The id is a hash of (source, position, original), so that
-- a batch that is repeated after a crash sets each message aside once.
CREATE TABLE rejects (
    reject_id    TEXT PRIMARY KEY,
    source       TEXT NOT NULL,
    name         TEXT NOT NULL,
    mapping      TEXT NOT NULL,
    position     INTEGER NOT NULL,          -- line or row, 0-based
    reason       TEXT NOT NULL,
    detail       TEXT NOT NULL,
    original     BLOB NOT NULL,
    size_bytes   INTEGER NOT NULL,          -- of the original, also where `original` holds only its beginning
    rejected_at  TEXT NOT NULL,
    replayed_at  TEXT                       -- NULL until a replay was accepted
) STRICT;
CREATE INDEX rejects_by_source ON rejects (source, position);

-- One row per pipeline run, and one per task of it.
CREATE TABLE runs (
    run_id       TEXT PRIMARY KEY,
    started_at   TEXT NOT NULL,
    finished_at  TEXT,
    status       TEXT NOT NULL CHECK (status IN ('running', 'succeeded', 'failed', 'cancelled')),
    params       TEXT NOT NULL,             -- JSON object
    data_version TEXT,
    detail       TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE TABLE tasks (
    run_id       TEXT NOT NULL REFERENCES runs (run_id) ON DELETE CASCADE,
    task         TEXT NOT NULL,
    status       TEXT NOT NULL CHECK (status IN ('skipped', 'succeeded', 'failed')),
    seconds      REAL NOT NULL,
    detail       TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, task)
) STRICT;
