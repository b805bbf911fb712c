-- What was measured of each person in the 28 days before an instant: numbers that stand in the properties of events.
-- in : events, $cutoff DateTime64
-- out: one row per person with a session's end, a scored message or an AI interaction then: user_key, session_duration
--      (mean), session_hours_28, sentiment (mean), ai_satisfaction (mean), ai_errors_28; NULL where nothing was measured
--
-- The bounds also drop NaN and infinity, which JSON text can smuggle into a number.
SELECT user_key,
    round(sumKahan(measured) FILTER (WHERE event_type = 'session_ended' AND measured BETWEEN 0 AND 1e9), 6)
        / count(measured) FILTER (WHERE event_type = 'session_ended' AND measured BETWEEN 0 AND 1e9) AS session_duration,
    round(sumKahan(measured) FILTER (WHERE event_type = 'session_ended' AND measured BETWEEN 0 AND 1e9), 6) / 3600 AS session_hours_28,
    round(sumKahan(measured) FILTER (WHERE event_type = 'message_sentiment' AND measured BETWEEN -1e9 AND 1e9), 6)
        / count(measured) FILTER (WHERE event_type = 'message_sentiment' AND measured BETWEEN -1e9 AND 1e9) AS sentiment,
    round(sumKahan(measured) FILTER (WHERE event_type = 'ai_interaction' AND measured BETWEEN -1e9 AND 1e9), 6)
        / count(measured) FILTER (WHERE event_type = 'ai_interaction' AND measured BETWEEN -1e9 AND 1e9) AS ai_satisfaction,
    count(*) FILTER (WHERE failed) AS ai_errors_28
FROM (
    SELECT user_key, event_type,
        toFloat64OrNull(trimBoth(multiIf(
            event_type = 'session_ended', JSONExtractString(properties, 'session_duration'),
            event_type = 'message_sentiment', JSONExtractString(properties, 'sentiment_score'),
            JSONExtractString(properties, 'user_satisfaction')))) AS measured,
        event_type = 'ai_interaction' AND JSONType(properties, 'error') != 'Null'
            AND JSONExtractString(properties, 'error') NOT IN ('false', '') AS failed
    FROM events
    WHERE occurred_at < $cutoff AND occurred_at >= $cutoff - INTERVAL 672 HOUR
        AND event_type IN ('session_ended', 'message_sentiment', 'ai_interaction')
)
GROUP BY user_key
