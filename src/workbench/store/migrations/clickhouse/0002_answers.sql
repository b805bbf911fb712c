-- What was found out about people: one row per person and day of `as_of`; the one that was written last counts.
-- shard: user_key
CREATE TABLE IF NOT EXISTS user_profiles
(
    user_key Int64,
    user_id String,
    as_of DateTime64(6, 'UTC'),
    first_seen DateTime64(6, 'UTC'),
    last_seen DateTime64(6, 'UTC'),
    events UInt64,
    platforms Array(String),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (user_key, as_of);

-- Who did how much where: one row per person, platform and day.
-- shard: user_key
CREATE TABLE IF NOT EXISTS platform_activity
(
    user_key Int64,
    user_id String,
    platform LowCardinality(String),
    day Date,
    events UInt64,
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(written_at)
PARTITION BY toYYYYMM(day)
ORDER BY (user_key, platform, day);

-- One row per journey: the events of a person without a pause of half an hour.
-- shard: user_key
CREATE TABLE IF NOT EXISTS user_journeys
(
    user_key Int64,
    user_id String,
    journey_id String,
    start_time DateTime64(6, 'UTC'),
    end_time DateTime64(6, 'UTC'),
    total_steps UInt32,
    conversion_points Array(String),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(written_at)
PARTITION BY toYYYYMM(start_time)
ORDER BY (user_key, start_time);
