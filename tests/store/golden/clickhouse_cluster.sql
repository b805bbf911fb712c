CREATE TABLE IF NOT EXISTS events_local ON CLUSTER 'analytics'
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
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/default/events', '{replica}')
PARTITION BY toYYYYMM(occurred_at)
ORDER BY (bitAnd(user_key, 15), user_key, occurred_at)
SETTINGS replicated_deduplication_window = 10000, min_bytes_for_wide_part = 134217728,
    merge_selector_base = 10;

CREATE TABLE IF NOT EXISTS events ON CLUSTER 'analytics' AS events_local
ENGINE = Distributed('analytics', 'default', 'events_local', user_key);

CREATE TABLE IF NOT EXISTS batches ON CLUSTER 'analytics'
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
ENGINE = ReplicatedMergeTree('/clickhouse/tables/all/default/batches', '{shard}-{replica}')
ORDER BY (batch, kind)
SETTINGS replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS positions ON CLUSTER 'analytics'
(
    source String,
    batch UInt64,
    position Int64
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/all/default/positions', '{shard}-{replica}')
ORDER BY (source, batch)
SETTINGS replicated_deduplication_window = 10000;

CREATE TABLE IF NOT EXISTS user_profiles_local ON CLUSTER 'analytics'
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/default/user_profiles', '{replica}', written_at)
ORDER BY (user_key, as_of);

CREATE TABLE IF NOT EXISTS user_profiles ON CLUSTER 'analytics' AS user_profiles_local
ENGINE = Distributed('analytics', 'default', 'user_profiles_local', user_key);

CREATE TABLE IF NOT EXISTS platform_activity_local ON CLUSTER 'analytics'
(
    user_key Int64,
    user_id String,
    platform LowCardinality(String),
    day Date,
    events UInt64,
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/default/platform_activity', '{replica}', written_at)
PARTITION BY toYYYYMM(day)
ORDER BY (user_key, platform, day);

CREATE TABLE IF NOT EXISTS platform_activity ON CLUSTER 'analytics' AS platform_activity_local
ENGINE = Distributed('analytics', 'default', 'platform_activity_local', user_key);

CREATE TABLE IF NOT EXISTS user_journeys_local ON CLUSTER 'analytics'
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
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/default/user_journeys', '{replica}', written_at)
PARTITION BY toYYYYMM(start_time)
ORDER BY (user_key, start_time);

CREATE TABLE IF NOT EXISTS user_journeys ON CLUSTER 'analytics' AS user_journeys_local
ENGINE = Distributed('analytics', 'default', 'user_journeys_local', user_key);

CREATE TABLE IF NOT EXISTS predictions ON CLUSTER 'analytics'
(
    date Date,
    user_id String,
    engagement_score Nullable(Float64),
    engagement_low Nullable(Float64),
    engagement_high Nullable(Float64),
    churn_risk Nullable(Float64),
    predicted_ltv Nullable(Float64),
    ltv_low Nullable(Float64),
    ltv_high Nullable(Float64),
    ltv_bg_nbd Nullable(Float64),
    next_action_probability Nullable(Float64),
    risk_level LowCardinality(Nullable(String)),
    next_action LowCardinality(Nullable(String)),
    recommended_action LowCardinality(Nullable(String)),
    held_out Nullable(Bool),
    propensity Nullable(Float64),
    engagement_version LowCardinality(Nullable(String)),
    churn_version LowCardinality(Nullable(String)),
    ltv_version LowCardinality(Nullable(String)),
    next_action_version LowCardinality(Nullable(String)),
    cutoff LowCardinality(Nullable(String)),
    policy LowCardinality(Nullable(String)),
    data_version LowCardinality(Nullable(String))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/all/default/predictions', '{shard}-{replica}')
PARTITION BY date
ORDER BY user_id;

CREATE TABLE IF NOT EXISTS recommendations ON CLUSTER 'analytics'
(
    date Date,
    user_id String,
    risk_level LowCardinality(Nullable(String)),
    churn_risk Nullable(Float64),
    recommended_action LowCardinality(Nullable(String)),
    held_out Nullable(Bool),
    propensity Nullable(Float64),
    churn_version LowCardinality(Nullable(String)),
    policy LowCardinality(Nullable(String))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/all/default/recommendations', '{shard}-{replica}')
PARTITION BY date
ORDER BY user_id;

CREATE TABLE IF NOT EXISTS sentiment_analysis_local ON CLUSTER 'analytics'
(
    message_id String,
    timestamp DateTime64(6, 'UTC'),
    sentiment_score Nullable(Float64),
    emotion LowCardinality(Nullable(String)),
    confidence Nullable(Float64),
    keywords Array(String),
    language LowCardinality(Nullable(String)),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/default/sentiment_analysis', '{replica}', written_at)
PARTITION BY toYYYYMM(timestamp)
ORDER BY message_id;

CREATE TABLE IF NOT EXISTS sentiment_analysis ON CLUSTER 'analytics' AS sentiment_analysis_local
ENGINE = Distributed('analytics', 'default', 'sentiment_analysis_local', sipHash64(message_id));

CREATE TABLE IF NOT EXISTS ai_performance_local ON CLUSTER 'analytics'
(
    interaction_id String,
    timestamp DateTime64(6, 'UTC'),
    model LowCardinality(String),
    response_time_ms Nullable(Float64),
    tokens_used Nullable(UInt64),
    cost_usd Nullable(Float64),
    quality_score Nullable(Float64),
    user_satisfaction Nullable(Float64),
    context_relevance Nullable(Float64),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/default/ai_performance', '{replica}', written_at)
PARTITION BY toYYYYMM(timestamp)
ORDER BY interaction_id;

CREATE TABLE IF NOT EXISTS ai_performance ON CLUSTER 'analytics' AS ai_performance_local
ENGINE = Distributed('analytics', 'default', 'ai_performance_local', sipHash64(interaction_id));

CREATE TABLE IF NOT EXISTS experiments_local ON CLUSTER 'analytics'
(
    experiment LowCardinality(String),
    unit_id String,
    variant LowCardinality(String),
    exposed_at DateTime64(6, 'UTC'),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/default/experiments', '{replica}', written_at)
ORDER BY (experiment, unit_id);

CREATE TABLE IF NOT EXISTS experiments ON CLUSTER 'analytics' AS experiments_local
ENGINE = Distributed('analytics', 'default', 'experiments_local', sipHash64(unit_id));

CREATE TABLE IF NOT EXISTS live_cells_local ON CLUSTER 'analytics'
(
    second DateTime('UTC'),
    batch UInt64,
    platform LowCardinality(Nullable(String)),
    event_type LowCardinality(String),
    events AggregateFunction(uniqExact, UInt64)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/default/live_cells', '{replica}')
ORDER BY (second, batch, event_type, platform)
TTL second + INTERVAL 2 DAY
SETTINGS allow_nullable_key = 1;

CREATE TABLE IF NOT EXISTS live_cells ON CLUSTER 'analytics' AS live_cells_local
ENGINE = Distributed('analytics', 'default', 'live_cells_local', rand());

CREATE MATERIALIZED VIEW IF NOT EXISTS live_cells_view ON CLUSTER 'analytics' TO live_cells_local AS
SELECT toDateTime(occurred_at, 'UTC') AS second, batch, platform, event_type, uniqExactState(sipHash64(event_id)) AS events
FROM events_local
WHERE occurred_at > now() - INTERVAL 1 DAY AND occurred_at < now() + INTERVAL 1 DAY
GROUP BY second, batch, platform, event_type;

CREATE TABLE IF NOT EXISTS live_people_local ON CLUSTER 'analytics'
(
    minute DateTime('UTC'),
    batch UInt64,
    user_key Int64
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/default/live_people', '{replica}')
ORDER BY (minute, batch, user_key)
TTL minute + INTERVAL 2 DAY;

CREATE TABLE IF NOT EXISTS live_people ON CLUSTER 'analytics' AS live_people_local
ENGINE = Distributed('analytics', 'default', 'live_people_local', rand());

CREATE MATERIALIZED VIEW IF NOT EXISTS live_people_view ON CLUSTER 'analytics' TO live_people_local AS
SELECT toStartOfMinute(toDateTime(occurred_at, 'UTC')) AS minute, batch, user_key
FROM events_local
WHERE occurred_at > now() - INTERVAL 1 DAY AND occurred_at < now() + INTERVAL 1 DAY
GROUP BY minute, batch, user_key;

CREATE TABLE IF NOT EXISTS live_told_local ON CLUSTER 'analytics'
(
    occurred_at DateTime64(6, 'UTC'),
    batch UInt64,
    event_key UInt64,
    event_type LowCardinality(String),
    user_key Int64,
    raid_id Nullable(String),
    properties Nullable(String)
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/default/live_told', '{replica}')
ORDER BY (occurred_at, batch, event_key)
TTL toDateTime(occurred_at) + INTERVAL 2 DAY;

CREATE TABLE IF NOT EXISTS live_told ON CLUSTER 'analytics' AS live_told_local
ENGINE = Distributed('analytics', 'default', 'live_told_local', rand());

CREATE MATERIALIZED VIEW IF NOT EXISTS live_told_view ON CLUSTER 'analytics' TO live_told_local AS
SELECT occurred_at, batch, sipHash64(event_id) AS event_key, event_type, user_key, raid_id, properties
FROM events_local
WHERE occurred_at > now() - INTERVAL 1 DAY AND occurred_at < now() + INTERVAL 1 DAY
    AND event_type IN ('request', 'ai_interaction', 'raid_started', 'raid_joined', 'raid_ended');

CREATE TABLE IF NOT EXISTS live_sources_local ON CLUSTER 'analytics'
(
    source LowCardinality(String),
    batch UInt64,
    newest SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    read_at SimpleAggregateFunction(max, DateTime64(6, 'UTC')),
    events AggregateFunction(uniqExact, UInt64)
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/default/live_sources', '{replica}')
ORDER BY (source, batch)
TTL toDateTime(read_at) + INTERVAL 2 DAY;

CREATE TABLE IF NOT EXISTS live_sources ON CLUSTER 'analytics' AS live_sources_local
ENGINE = Distributed('analytics', 'default', 'live_sources_local', rand());

CREATE MATERIALIZED VIEW IF NOT EXISTS live_sources_view ON CLUSTER 'analytics' TO live_sources_local AS
SELECT
    source, batch, max(least(occurred_at, ingested_at)) AS newest, max(ingested_at) AS read_at,
    uniqExactState(sipHash64(event_id)) AS events
FROM events_local
WHERE occurred_at > now() - INTERVAL 1 DAY AND occurred_at < now() + INTERVAL 1 DAY
GROUP BY source, batch;
