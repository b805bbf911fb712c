-- What each person did in a span of time: what the models learn to predict.
-- in : events, $since DateTime64 (inclusive), $until DateTime64 (exclusive)
-- out: one row per person with an event in the span, by user_id: user_id, events, messages, session_hours, raids,
--      ai_interactions; counted as the columns of the same meaning in features.clickhouse.sql
WITH span AS (
    SELECT user_key, user_id, event_type, raid_id,
        toFloat64OrNull(trimBoth(JSONExtractString(properties, 'session_duration'))) AS seconds
    FROM events
    WHERE occurred_at >= $since AND occurred_at < $until
)
SELECT any(user_id) AS user_id,
    count(*) AS events,
    count(*) FILTER (WHERE event_type IN ('first_message', 'message_sent')) AS messages,
    coalesce(sum(seconds) FILTER (WHERE event_type = 'session_ended' AND seconds BETWEEN 0 AND 1e9), 0) / 3600
        AS session_hours,
    uniqExact(raid_id) FILTER (WHERE event_type = 'raid_joined') AS raids,
    count(*) FILTER (WHERE event_type = 'ai_interaction') AS ai_interactions
FROM span
GROUP BY user_key
ORDER BY any(user_id)
