-- What each person did in a span of time: what the models learn to predict.
-- in : events, $since TIMESTAMPTZ (inclusive), $until TIMESTAMPTZ (exclusive)
-- out: one row per person with an event in the span, by user_id: user_id, events, messages, session_hours, raids,
--      ai_interactions; counted as the columns of the same meaning in features.sql
SELECT user_id,
    count(*) AS events,
    count(*) FILTER (event_type IN ('first_message', 'message_sent')) AS messages,
    coalesce(sum(seconds) FILTER (seconds BETWEEN 0 AND 1e9), 0) / 3600 AS session_hours,
    count(DISTINCT raid_id) FILTER (event_type = 'raid_joined') AS raids,
    count(*) FILTER (event_type = 'ai_interaction') AS ai_interactions
FROM (
    SELECT user_id, event_type, raid_id,
        CASE event_type WHEN 'session_ended'
            THEN TRY_CAST(json_extract_string(properties, '$.session_duration') AS DOUBLE)
        END AS seconds
    FROM events
    WHERE occurred_at >= $since::TIMESTAMPTZ AND occurred_at < $until::TIMESTAMPTZ
)
GROUP BY user_id
ORDER BY user_id
