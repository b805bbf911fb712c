-- What the models said of everybody on a date: replaced as a whole when it is said again, so that days are partitions.
-- shard: none
CREATE TABLE IF NOT EXISTS predictions
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
ENGINE = MergeTree
PARTITION BY date
ORDER BY user_id;

-- What was recommended for whom first on a date, and with which probability it was drawn: never replaced.
-- shard: none
CREATE TABLE IF NOT EXISTS recommendations
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
ENGINE = MergeTree
PARTITION BY date
ORDER BY user_id;

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
