-- One row per segment that was saved by a name.
CREATE TABLE segments (
    name         TEXT PRIMARY KEY,
    definition   TEXT NOT NULL,             -- JSON, as `segments.Segment.to_dict` writes it
    saved_at     TEXT NOT NULL              -- ISO 8601, UTC
) STRICT;
