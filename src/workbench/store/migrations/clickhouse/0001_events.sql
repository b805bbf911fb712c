-- What happened: one row per event, with the batch in which it came. A batch is seen once `batches` says that it is
-- complete, so that rows of a write that was cut off, or made twice, are never counted.
--
-- Ordered by class of users, user and time: a question of journeys reads each person's events in order. The projection
-- finds out whether an `event_id` may be there already without reading the table; the index skips what came too late.
-- What has just arrived is kept in few files, which are merged into a file per column when there is more of it; more at
-- once than ClickHouse would by itself, so that each row is written once again and not twice.
-- An event expires so long after it occurred or, if that was later, was ingested: an old export is kept.
-- shard: user_key
CREATE TABLE IF NOT EXISTS events
(
    event_id String,
    event_type LowCardinality(String),
    user_id String,
    occurred_at DateTime64(6, 'UTC'),
    platform LowCardinality(Nullable(String)),
    session_id Nullable(String),
    raid_id Nullable(String),
    message_id Nullable(String),
    value Nullable(Float64),
    properties Nullable(String),
    schema_version Int32,
    ingested_at DateTime64(6, 'UTC'),
    source LowCardinality(String),
    position Int64,
    user_key Int64,
    batch UInt64,
    event_key UInt64 MATERIALIZED sipHash64(event_id),
    INDEX seen batch TYPE minmax GRANULARITY 1,
    PROJECTION by_key (SELECT event_key, batch ORDER BY event_key)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (bitAnd(user_key, 15), user_key, occurred_at)
SETTINGS non_replicated_deduplication_window = 10000, min_bytes_for_wide_part = 134217728,
    merge_selector_base = 10;

-- What became of each batch: one row when it was claimed, one when it was complete or given up. Each is inserted with
-- a token of its own, so that of several processes the first one says it. The row of a complete batch tells all that
-- a reader needs: how many events there are then, and which earlier batches were given up.
-- shard: none
CREATE TABLE IF NOT EXISTS batches
(
    batch UInt64,
    kind LowCardinality(String),
    writer String,
    rows UInt64,
    total UInt64,
    version String,
    given_up Array(UInt64),
    at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = MergeTree
ORDER BY (batch, kind)
SETTINGS non_replicated_deduplication_window = 10000;

-- Where each source has come to: one row per batch and source, which holds if the batch is complete.
-- shard: none
CREATE TABLE IF NOT EXISTS positions
(
    source String,
    batch UInt64,
    position Int64
)
ENGINE = MergeTree
ORDER BY (source, batch)
SETTINGS non_replicated_deduplication_window = 10000;
