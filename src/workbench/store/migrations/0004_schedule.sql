-- What runs by the clock: one row per job that the schedule's daemon knows, and one per time that a job was due.
CREATE TABLE jobs (
    job          TEXT PRIMARY KEY,
    kind         TEXT NOT NULL,
    schedule     TEXT NOT NULL,
    timezone     TEXT NOT NULL,
    seen_at      TEXT NOT NULL,             -- ISO 8601, UTC: of every due instant up to here it was decided what becomes of it
    next_due     TEXT                       -- ISO 8601, UTC
) STRICT;
CREATE TABLE job_runs (
    run_id       TEXT PRIMARY KEY,
    job          TEXT NOT NULL,
    due_at       TEXT,                      -- ISO 8601, UTC; NULL when it was asked for by hand
    command      TEXT NOT NULL,             -- JSON list of words, without secrets
    status       TEXT NOT NULL CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'skipped')),
    attempt      INTEGER NOT NULL DEFAULT 0,
    not_before   TEXT,                      -- of a queued one: when it may start
    started_at   TEXT,
    finished_at  TEXT,
    pid          INTEGER,                   -- of a running one
    pid_started  REAL,                      -- since 1970, s: tells it from a later process of the same number
    exit_code    INTEGER,
    peak_mb      REAL,
    log          TEXT,                      -- file
    detail       TEXT NOT NULL DEFAULT '',
    cancelled_by TEXT,                      -- who asked to stop it
    UNIQUE (job, due_at)                    -- decided once, however often a clock says it
) STRICT;
CREATE INDEX job_runs_by_status ON job_runs (status, job);
ALTER TABLE runs ADD COLUMN pid INTEGER;    -- of a running one
