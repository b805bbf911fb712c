-- What is known of each person just before an instant, from which the features of every model are made.
-- in : events, $cutoff TIMESTAMPTZ
-- out: one row per person with an event before $cutoff, by user_id: user_id and the columns of `features.FACTS`
--
-- Only `known` reads events, and only those before the cutoff: nothing later can leak in. Days are counted
-- back from the cutoff (day 0 is the last 24 hours), so no time zone enters.
WITH known AS (
    SELECT user_id, event_type, platform, raid_id, value, properties,
        epoch_us($cutoff::TIMESTAMPTZ) - epoch_us(occurred_at) AS age,
        (epoch_us($cutoff::TIMESTAMPTZ) - epoch_us(occurred_at) - 1) // 86400000000 AS day
    FROM events
    WHERE occurred_at < $cutoff::TIMESTAMPTZ
), facts AS (
    SELECT user_id, event_type, platform, raid_id, value, age, day, day < 28 AS recent,
        event_type IN ('first_message', 'message_sent') AS is_message,
        CASE WHEN day < 28 THEN TRY_CAST(CASE event_type
            WHEN 'session_ended' THEN json_extract_string(properties, '$.session_duration')
            WHEN 'message_sentiment' THEN json_extract_string(properties, '$.sentiment_score')
            WHEN 'ai_interaction' THEN json_extract_string(properties, '$.user_satisfaction')
        END AS DOUBLE) END AS measured,
        CASE WHEN day < 28 AND event_type = 'ai_interaction'
            THEN coalesce(json_extract_string(properties, '$.error'), 'false') NOT IN ('false', '')
        END AS failed
    FROM known
)
SELECT user_id,
    max(age) / 86400e6 AS tenure_days,
    min(age) / 86400e6 AS days_since_last_active,
    bit_count(bit_or(1::BIGINT << least(day, 62)) FILTER (day < 7)) AS active_days_7,
    bit_count(bit_or(1::BIGINT << least(day, 62)) FILTER (recent)) AS active_days_28,
    bit_count(bit_or(1::BIGINT << least(day, 62)) FILTER (day < 56)) AS active_days_56,
    count(*) FILTER (day < 7) AS events_7,
    count(*) FILTER (recent) AS events_28,
    bool_or(is_message) AS has_messaged,
    count(*) FILTER (is_message AND day < 7) AS messages_7,
    count(*) FILTER (is_message AND recent) AS messages_28,
    -- The slope of a least-squares line through 28 daily counts, silent days included: sum((x - 13.5)^2) is 1827.
    sum(13.5 - day) FILTER (is_message AND recent) / 1827 AS message_frequency_trend,
    count(*) FILTER (event_type = 'session_started' AND recent) AS sessions_28,
    -- The bounds also drop NaN and infinity, which JSON text can smuggle into a number.
    avg(measured) FILTER (event_type = 'session_ended' AND measured BETWEEN 0 AND 1e9) AS session_duration,
    sum(measured) FILTER (event_type = 'session_ended' AND measured BETWEEN 0 AND 1e9) / 3600 AS session_hours_28,
    count(DISTINCT raid_id) FILTER (event_type = 'raid_joined' AND recent) AS raids_28,
    count(*) FILTER (event_type = 'raid_action' AND recent) AS raid_actions_28,
    count(*) FILTER (event_type = 'ai_interaction' AND recent) AS ai_interactions_28,
    avg(measured) FILTER (event_type = 'ai_interaction' AND measured BETWEEN -1e9 AND 1e9) AS ai_satisfaction,
    count(*) FILTER (failed) AS ai_errors_28,
    avg(measured) FILTER (event_type = 'message_sentiment' AND measured BETWEEN -1e9 AND 1e9) AS sentiment,
    count(DISTINCT platform) FILTER (recent) AS platforms_28,
    count(*) FILTER (event_type = 'purchase' AND recent) AS purchases_28,
    sum(value) FILTER (event_type = 'purchase' AND recent) AS spend_usd_28,
    bool_or(event_type = 'wallet_connected') AS has_wallet,
    (SELECT count(DISTINCT raid_id) FROM known WHERE event_type = 'raid_started' AND day < 28) AS community_raids_28
FROM facts
GROUP BY user_id
ORDER BY user_id
