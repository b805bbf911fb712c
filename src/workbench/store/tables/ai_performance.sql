-- How agents answered.
-- in : events, $now, $since DateTime64, $models Array(String), and USD a million tokens of each: $inputs, $caches,
--      $outputs Array(Float64); named with their types, as an empty list has none
-- out: one row per interaction since then; the cost of a model without a price is NULL
WITH told AS (
    SELECT event_id, occurred_at, JSONExtractString(properties, 'model') AS model,
        toFloat64OrNull(trimBoth(JSONExtractString(properties, 'response_time_ms'))) AS response_time_ms,
        greatest(0, coalesce(toFloat64OrNull(trimBoth(JSONExtractString(properties, 'input_tokens'))), 0)) AS input,
        greatest(0, coalesce(toFloat64OrNull(trimBoth(JSONExtractString(properties, 'cached_tokens'))), 0)) AS cached,
        greatest(0, coalesce(toFloat64OrNull(trimBoth(JSONExtractString(properties, 'output_tokens'))), 0)) AS output,
        toFloat64OrNull(trimBoth(JSONExtractString(properties, 'quality_score'))) AS quality_score,
        toFloat64OrNull(trimBoth(JSONExtractString(properties, 'user_satisfaction'))) AS user_satisfaction,
        toFloat64OrNull(trimBoth(JSONExtractString(properties, 'context_relevance'))) AS context_relevance,
        indexOf(CAST($models, 'Array(String)'), model) AS priced
    FROM events
    WHERE event_type = 'ai_interaction' AND occurred_at >= $since AND occurred_at <= $now
)
SELECT event_id AS interaction_id, occurred_at AS timestamp, if(model = '', '(none)', model) AS model, response_time_ms,
    toUInt64(input + output) AS tokens_used,
    if(priced = 0, NULL, ((input - least(cached, input)) * arrayElement(CAST($inputs, 'Array(Float64)'), priced)
        + least(cached, input) * arrayElement(CAST($caches, 'Array(Float64)'), priced)
        + output * arrayElement(CAST($outputs, 'Array(Float64)'), priced)) / 1e6) AS cost_usd,
    quality_score, user_satisfaction, context_relevance
FROM told
