-- What each person did in a span of time: what the models learn to predict.
-- in : events, $since TIMESTAMPTZ (inclusive), $until TIMESTAMPTZ (exclusive), $discount DOUBLE (a year)
-- out: one row per person with an event in the span: user_key, user_id, events, messages, session_hours, raids,
--      ai_interactions, counted as the columns of the same meaning in features.sql; value_usd (of purchases, as
--      worth at $since), action (the first of the actions that the next-action model knows; NULL for none of them)
SELECT user_key, any_value(user_id) AS user_id,
    count(*) AS events,
    count(*) FILTER (event_type IN ('first_message', 'message_sent')) AS messages,
    coalesce(round(fsum(seconds) FILTER (seconds BETWEEN 0 AND 1e9), 6), 0) / 3600 AS session_hours,
    count(DISTINCT raid_id) FILTER (event_type = 'raid_joined') AS raids,
    count(*) FILTER (event_type = 'ai_interaction') AS ai_interactions,
    coalesce(round(fsum(value / pow(1 + $discount, age / 31557600e6)) FILTER (event_type = 'purchase'), 6), 0) AS value_usd,
    arg_min(action, (age, action)) FILTER (action IS NOT NULL) AS action
FROM (
    SELECT user_key, user_id, event_type, raid_id, CASE WHEN value > -1e12 AND value < 1e12 THEN value END AS value,
        epoch_us(occurred_at) - epoch_us($since::TIMESTAMPTZ) AS age,
        CASE event_type WHEN 'session_ended'
            THEN TRY_CAST(json_extract_string(properties, '$.session_duration') AS DOUBLE)
        END AS seconds,
        CASE event_type WHEN 'first_message' THEN 'message' WHEN 'message_sent' THEN 'message'
            WHEN 'raid_joined' THEN 'raid' WHEN 'ai_interaction' THEN 'ai'
            WHEN 'wallet_connected' THEN 'wallet' WHEN 'purchase' THEN 'purchase'
        END AS action
    FROM events
    WHERE occurred_at >= $since::TIMESTAMPTZ AND occurred_at < $until::TIMESTAMPTZ
)
GROUP BY user_key
