-- What is known of each person just before an instant, from which the features of every model are made.
-- in : events, $cutoff DateTime64
-- out: one row per person with an event before $cutoff, by user_id: the columns of features.sql
--
-- Only `known` reads events, and only those before the cutoff. People are told apart by their key: it is short, and
-- the events lie in its order.
WITH known AS (
    SELECT user_key, user_id, event_type, platform, raid_id, value, properties,
        toUnixTimestamp64Micro($cutoff) - toUnixTimestamp64Micro(occurred_at) AS age,
        intDiv(toUnixTimestamp64Micro($cutoff) - toUnixTimestamp64Micro(occurred_at) - 1, 86400000000) AS day
    FROM events
    WHERE occurred_at < $cutoff
), facts AS (
    SELECT user_key, user_id, event_type, platform, raid_id, value, age, day, day < 28 AS recent,
        event_type IN ('first_message', 'message_sent') AS is_message,
        if(day < 28, toFloat64OrNull(trimBoth(multiIf(
            event_type = 'session_ended', JSONExtractString(properties, 'session_duration'),
            event_type = 'message_sentiment', JSONExtractString(properties, 'sentiment_score'),
            event_type = 'ai_interaction', JSONExtractString(properties, 'user_satisfaction'),
            ''
        ))), NULL) AS measured,
        day < 28 AND event_type = 'ai_interaction' AND JSONType(properties, 'error') != 'Null'
            AND JSONExtractString(properties, 'error') NOT IN ('false', '') AS failed
    FROM known
)
SELECT any(user_id) AS user_id,
    max(age) / 86400e6 AS tenure_days,
    min(age) / 86400e6 AS days_since_last_active,
    uniqExact(day) FILTER (WHERE day < 7) AS active_days_7,
    uniqExact(day) FILTER (WHERE recent) AS active_days_28,
    uniqExact(day) FILTER (WHERE day < 56) AS active_days_56,
    count(*) FILTER (WHERE day < 7) AS events_7,
    count(*) FILTER (WHERE recent) AS events_28,
    max(is_message) AS has_messaged,
    count(*) FILTER (WHERE is_message AND day < 7) AS messages_7,
    count(*) FILTER (WHERE is_message AND recent) AS messages_28,
    sum(13.5 - day) FILTER (WHERE is_message AND recent) / 1827 AS message_frequency_trend,
    count(*) FILTER (WHERE event_type = 'session_started' AND recent) AS sessions_28,
    avg(measured) FILTER (WHERE event_type = 'session_ended' AND measured BETWEEN 0 AND 1e9) AS session_duration,
    sum(measured) FILTER (WHERE event_type = 'session_ended' AND measured BETWEEN 0 AND 1e9) / 3600 AS session_hours_28,
    uniqExact(raid_id) FILTER (WHERE event_type = 'raid_joined' AND recent) AS raids_28,
    count(*) FILTER (WHERE event_type = 'raid_action' AND recent) AS raid_actions_28,
    count(*) FILTER (WHERE event_type = 'ai_interaction' AND recent) AS ai_interactions_28,
    avg(measured) FILTER (WHERE event_type = 'ai_interaction' AND measured BETWEEN -1e9 AND 1e9) AS ai_satisfaction,
    count(*) FILTER (WHERE failed) AS ai_errors_28,
    avg(measured) FILTER (WHERE event_type = 'message_sentiment' AND measured BETWEEN -1e9 AND 1e9) AS sentiment,
    uniqExact(platform) FILTER (WHERE recent) AS platforms_28,
    count(*) FILTER (WHERE event_type = 'purchase' AND recent) AS purchases_28,
    sum(value) FILTER (WHERE event_type = 'purchase' AND recent) AS spend_usd_28,
    max(event_type = 'wallet_connected') AS has_wallet,
    (SELECT uniqExact(raid_id) FROM known WHERE event_type = 'raid_started' AND day < 28) AS community_raids_28
FROM facts
GROUP BY user_key
ORDER BY any(user_id)
