-- What was measured of each person in the 28 days before an instant: numbers that stand in the properties of events.
-- in : events, $cutoff TIMESTAMPTZ
-- out: one row per person with a session's end, a scored message or an AI interaction then: user_key, session_duration
--      (mean), session_hours_28, sentiment (mean), ai_satisfaction (mean), ai_errors_28; NULL where nothing was measured
--
-- The bounds also drop NaN and infinity, which JSON text can smuggle into a number.
SELECT user_key,
    round(fsum(measured) FILTER (event_type = 'session_ended' AND measured BETWEEN 0 AND 1e9), 6)
        / count(measured) FILTER (event_type = 'session_ended' AND measured BETWEEN 0 AND 1e9) AS session_duration,
    round(fsum(measured) FILTER (event_type = 'session_ended' AND measured BETWEEN 0 AND 1e9), 6) / 3600 AS session_hours_28,
    round(fsum(measured) FILTER (event_type = 'message_sentiment' AND measured BETWEEN -1e9 AND 1e9), 6)
        / count(measured) FILTER (event_type = 'message_sentiment' AND measured BETWEEN -1e9 AND 1e9) AS sentiment,
    round(fsum(measured) FILTER (event_type = 'ai_interaction' AND measured BETWEEN -1e9 AND 1e9), 6)
        / count(measured) FILTER (event_type = 'ai_interaction' AND measured BETWEEN -1e9 AND 1e9) AS ai_satisfaction,
    count(*) FILTER (failed) AS ai_errors_28
FROM (
    SELECT user_key, event_type,
        TRY_CAST(CASE event_type
            WHEN 'session_ended' THEN json_extract_string(properties, '$.session_duration')
            WHEN 'message_sentiment' THEN json_extract_string(properties, '$.sentiment_score')
            ELSE json_extract_string(properties, '$.user_satisfaction')
        END AS DOUBLE) AS measured,
        CASE event_type WHEN 'ai_interaction'
            THEN coalesce(json_extract_string(properties, '$.error'), 'false') NOT IN ('false', '')
        END AS failed
    FROM events
    WHERE occurred_at < $cutoff::TIMESTAMPTZ AND occurred_at >= $cutoff::TIMESTAMPTZ - INTERVAL 672 HOUR
        AND event_type IN ('session_ended', 'message_sentiment', 'ai_interaction')
)
GROUP BY user_key
