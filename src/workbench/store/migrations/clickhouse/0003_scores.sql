-- What a model said of a person: one row per person, cutoff and version of the models.
-- shard: user_key
CREATE TABLE IF NOT EXISTS predictions
(
    user_key Int64,
    user_id String,
    cutoff DateTime64(6, 'UTC'),
    engagement_score Float64,
    churn_risk Float64,
    risk_level LowCardinality(String),
    engagement_version LowCardinality(String),
    churn_version LowCardinality(String),
    data_version String,
    written_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(written_at)
PARTITION BY toYYYYMM(cutoff)
ORDER BY (user_key, cutoff, engagement_version, churn_version);

-- How a message reads: one row per message.
-- shard: sipHash64(message_id)
CREATE TABLE IF NOT EXISTS sentiment_analysis
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
ENGINE = ReplacingMergeTree(written_at)
PARTITION BY toYYYYMM(timestamp)
ORDER BY message_id;
