-- One row per stretch of a queue's partition that could not be read: its messages are in no store.
CREATE TABLE gaps (
    source       TEXT NOT NULL,             -- as in the events' column `source`
    start        INTEGER NOT NULL,          -- the first offset that is missing
    "end"        INTEGER NOT NULL,          -- one past the last
    reason       TEXT NOT NULL CHECK (reason IN ('corrupt', 'expired')),
    detail       TEXT NOT NULL,
    noted_at     TEXT NOT NULL,             -- ISO 8601, UTC
    PRIMARY KEY (source, start)
) STRICT;
