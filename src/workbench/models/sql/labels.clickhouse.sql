-- What each person did in a span of time: what the models learn to predict.
-- in : events, $since DateTime64 (inclusive), $until DateTime64 (exclusive), $discount Float64 (a year)
-- out: one row per person with an event in the span: user_key, user_id, events, messages, session_hours, raids,
--      ai_interactions, counted as the columns of the same meaning in features.sql; value_usd (of purchases, as
--      worth at $since), action (the first of the actions that the next-action model knows; NULL for none of them)
SELECT user_key, any(user_id) AS user_id,
    count(*) AS events,
    count(*) FILTER (WHERE event_type IN ('first_message', 'message_sent')) AS messages,
    coalesce(round(sumKahan(seconds) FILTER (WHERE seconds BETWEEN 0 AND 1e9), 6), 0) / 3600 AS session_hours,
    count(DISTINCT raid_id) FILTER (WHERE event_type = 'raid_joined') AS raids,
    count(*) FILTER (WHERE event_type = 'ai_interaction') AS ai_interactions,
    coalesce(round(sumKahan(value / pow(1 + $discount, age / 31557600e6)) FILTER (WHERE event_type = 'purchase'), 6), 0) AS value_usd,
    argMin(action, (age, action)) FILTER (WHERE action IS NOT NULL) AS action
FROM (
    SELECT user_key, user_id, event_type, raid_id, CASE WHEN value > -1e12 AND value < 1e12 THEN value END AS value,
        toUnixTimestamp64Micro(occurred_at) - toUnixTimestamp64Micro($since) AS age,
        if(event_type = 'session_ended',
            toFloat64OrNull(trimBoth(JSONExtractString(properties, 'session_duration'))), NULL) AS seconds,
        multiIf(event_type IN ('first_message', 'message_sent'), 'message', event_type = 'raid_joined', 'raid',
            event_type = 'ai_interaction', 'ai', event_type = 'wallet_connected', 'wallet',
            event_type = 'purchase', 'purchase', NULL) AS action
    FROM events
    WHERE occurred_at >= $since AND occurred_at < $until
)
GROUP BY user_key
