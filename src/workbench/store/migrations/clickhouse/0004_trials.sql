-- How an agent answered: one row per interaction. What is not known, such as the cost of an unpriced model, is null.
-- shard: sipHash64(interaction_id)
CREATE TABLE IF NOT EXISTS ai_performance
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
ENGINE = ReplacingMergeTree(written_at)
PARTITION BY toYYYYMM(timestamp)
ORDER BY interaction_id;

-- Who saw which variant first: one row per experiment and unit.
-- shard: sipHash64(unit_id)
CREATE TABLE IF NOT EXISTS experiments
(
    experiment LowCardinality(String),
    unit_id String,
    variant LowCardinality(String),
    exposed_at DateTime64(6, 'UTC'),
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(written_at)
ORDER BY (experiment, unit_id);
