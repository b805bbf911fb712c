-- How messages read.
-- in : events, $now, $since DateTime64
-- out: one row per scored message since then: of several scores of one the last counts
SELECT coalesce(message_id, nullIf(JSONExtractString(properties, 'message_id'), ''), event_id) AS of_message,
    max(occurred_at) AS timestamp,
    argMax(toFloat64OrNull(trimBoth(JSONExtractString(properties, 'sentiment_score'))), occurred_at) AS sentiment_score,
    argMax(nullIf(JSONExtractString(properties, 'emotion'), ''), occurred_at) AS emotion,
    argMax(toFloat64OrNull(trimBoth(JSONExtractString(properties, 'confidence'))), occurred_at) AS confidence,
    argMax(JSONExtract(coalesce(properties, '{}'), 'keywords', 'Array(String)'), occurred_at) AS keywords,
    argMax(nullIf(JSONExtractString(properties, 'language'), ''), occurred_at) AS language
FROM (SELECT * FROM events WHERE event_type = 'message_sentiment' AND occurred_at >= $since AND occurred_at <= $now)
GROUP BY of_message
