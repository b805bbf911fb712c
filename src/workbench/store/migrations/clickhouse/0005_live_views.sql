-- What happened since yesterday, added up while events are inserted. A view sees rows before their batch is complete, and
-- sees them again when an insert is made twice: so all is kept by batch, and as sets of events and people, not as sums.
-- Whoever reads takes complete batches alone, and finds each event once. What is older than a day when it comes is
-- history's alone.
--
-- Which events there were: by second, platform and type.
-- shard: rand()
CREATE TABLE IF NOT EXISTS live_cells
(
    second DateTime('UTC'),
    batch UInt64,
    platform LowCardinality(Nullable(String)),
    event_type LowCardinality(String),
    events AggregateFunction(uniqExact, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (second, batch, event_type, platform)
TTL second + INTERVAL 2 DAY
SETTINGS allow_nullable_key = 1;

CREATE MATERIALIZED VIEW IF NOT EXISTS live_cells_view TO live_cells AS
SELECT toDateTime(occurred_at, 'UTC') AS second, batch, platform, event_type, uniqExactState(sipHash64(event_id)) AS events
FROM events
WHERE occurred_at > now() - INTERVAL 1 DAY AND occurred_at < now() + INTERVAL 1 DAY
GROUP BY second, batch, platform, event_type;

-- Who was there: one row per minute and person.
-- shard: rand()
CREATE TABLE IF NOT EXISTS live_people
(
    minute DateTime('UTC'),
    batch UInt64,
    user_key Int64
)
ENGINE = ReplacingMergeTree
ORDER BY (minute, batch, user_key)
TTL minute + INTERVAL 2 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS live_people_view TO live_people AS
SELECT toStartOfMinute(toDateTime(occurred_at, 'UTC')) AS minute, batch, user_key
FROM events
WHERE occurred_at > now() - INTERVAL 1 DAY AND occurred_at < now() + INTERVAL 1 DAY
GROUP BY minute, batch, user_key;

-- What was answered, and what was told of raids: one row per event, few of all.
-- shard: rand()
CREATE TABLE IF NOT EXISTS live_told
(
    occurred_at DateTime64(6, 'UTC'),
    batch UInt64,
    event_key UInt64,
    event_type LowCardinality(String),
    user_key Int64,
    raid_id Nullable(String),
    properties Nullable(String)
)
ENGINE = ReplacingMergeTree
ORDER BY (occurred_at, batch, event_key)
TTL toDateTime(occurred_at) + INTERVAL 2 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS live_told_view TO live_told AS
SELECT occurred_at, batch, sipHash64(event_id) AS event_key, event_type, user_key, raid_id, properties
FROM events
WHERE occurred_at > now() - INTERVAL 1 DAY AND occurred_at < now() + INTERVAL 1 DAY
    AND event_type IN ('request', 'ai_interaction', 'raid_started', 'raid_joined', 'raid_ended');

-- How far each source has come: one row per batch.
-- shard: rand()
CREATE TABLE IF NOT EXISTS live_sources
(
    source LowCardinality(String),
    batch UInt64,
    newest SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    read_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    events AggregateFunction(uniqExact, UInt64)
)
ENGINE = AggregatingMergeTree
ORDER BY (source, batch)
TTL toDateTime(read_at) + INTERVAL 2 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS live_sources_view TO live_sources AS
SELECT
    source, batch, max(least(occurred_at, ingested_at)) AS newest, max(ingested_at) AS read_at,
    uniqExactState(sipHash64(event_id)) AS events
FROM events
WHERE occurred_at > now() - INTERVAL 1 DAY AND occurred_at < now() + INTERVAL 1 DAY
GROUP BY source, batch;
