-- How agents answered.
-- in : events, $now, $since DateTime64, $models Array(String), and USD a million tokens of each: $inputs, $caches,
--      $outputs Array(Float64); named with their types, as an empty list has none
-- out: one row per interaction since then; the cost of a model without a price, or of token counts that cannot be, is NULL
WITH told AS (
    SELECT event_id, occurred_at, JSONExtractString(properties, 'model') AS model,
        toFloat64OrNull(trimBoth(JSONExtractString(properties, 'response_time_ms'))) AS response_time_ms,
        coalesce(toFloat64OrNull(trimBoth(JSONExtractString(properties, 'input_tokens'))), 0) AS input,
        coalesce(toFloat64OrNull(trimBoth(JSONExtractString(properties, 'cached_tokens'))), 0) AS cached,
        coalesce(toFloat64OrNull(trimBoth(JSONExtractString(properties, 'output_tokens'))), 0) AS output,
        toFloat64OrNull(trimBoth(JSONExtractString(properties, 'quality_score'))) AS quality_score,
        toFloat64OrNull(trimBoth(JSONExtractString(properties, 'user_satisfaction'))) AS user_satisfaction,
        toFloat64OrNull(trimBoth(JSONExtractString(properties, 'context_relevance'))) AS context_relevance,
        indexOf(CAST($models, 'Array(String)'), model) AS priced,
        input <= 1e9 AND floor(input) = input AND cached >= 0 AND cached <= input AND floor(cached) = cached
            AND output >= 0 AND output <= 1e9 AND floor(output) = output AS possible
    FROM events
    WHERE event_type = 'ai_interaction' AND occurred_at >= $since AND occurred_at <= $now
)
SELECT event_id AS interaction_id, occurred_at AS timestamp, if(model = '', '(none)', model) AS model, response_time_ms,
    toUInt64(if(input >= 0 AND input <= 1e9, input, 0) + if(output >= 0 AND output <= 1e9, output, 0)) AS tokens_used,
    if(priced = 0 OR NOT possible, NULL, ((input - cached) * arrayElement(CAST($inputs, 'Array(Float64)'), priced)
        + cached * arrayElement(CAST($caches, 'Array(Float64)'), priced)
        + output * arrayElement(CAST($outputs, 'Array(Float64)'), priced)) / 1e6) AS cost_usd,
    quality_score, user_satisfaction, context_relevance
FROM told
