-- What is known of each person just before an instant, from which the features of every model are made.
-- in : events, $cutoff DateTime64
-- out: one row per person with an event before $cutoff: user_key, user_id, and columns that `features.derived` takes
--
-- Each part reads only the rows and columns that it needs, and none from the cutoff on: nothing later can leak in.
-- Days are counted back from the cutoff (day 0 is the last 24 hours), so no time zone enters.
WITH ever AS (
    SELECT user_key, any(user_id) AS user_id, min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM events WHERE occurred_at < $cutoff GROUP BY user_key
), rare AS (
    SELECT user_key, event_type, raid_id, CASE WHEN value > -1e12 AND value < 1e12 THEN value END AS value,
        toUnixTimestamp64Micro($cutoff) - toUnixTimestamp64Micro(occurred_at) AS age
    FROM events
    WHERE occurred_at < $cutoff
        AND event_type IN ('first_message', 'raid_joined', 'purchase', 'wallet_connected', 'message_sent')
), milestones AS (
    SELECT user_key, max(event_type IN ('first_message', 'message_sent')) AS has_messaged,
        count(DISTINCT raid_id) FILTER (WHERE event_type = 'raid_joined') AS raids,
        count(DISTINCT raid_id) FILTER (WHERE event_type = 'raid_joined' AND age <= 2419200000000) AS raids_28,
        count(DISTINCT intDiv(age - 1, 86400000000)) FILTER (WHERE event_type = 'purchase') AS purchase_days,
        round(sumKahan(value) FILTER (WHERE event_type = 'purchase'), 6) AS spend_usd,
        max(age) FILTER (WHERE event_type = 'purchase') / 86400e6 AS days_since_first_purchase,
        min(age) FILTER (WHERE event_type = 'purchase') / 86400e6 AS days_since_purchase,
        max(age) FILTER (WHERE event_type = 'wallet_connected') / 86400e6 AS days_since_wallet
    FROM rare GROUP BY user_key
), known AS (
    SELECT user_key, event_type, platform, CASE WHEN value > -1e12 AND value < 1e12 THEN value END AS value,
        event_type IN ('first_message', 'message_sent') AS is_message,
        intDiv(toUnixTimestamp64Micro($cutoff) - toUnixTimestamp64Micro(occurred_at) - 1, 86400000000) AS day
    FROM events
    WHERE occurred_at < $cutoff AND occurred_at >= $cutoff - INTERVAL 1344 HOUR
), lately AS (
    SELECT user_key, groupBitOr(bitShiftLeft(toUInt64(1), toUInt8(day))) AS days,
        count(DISTINCT platform) FILTER (WHERE day < 28) AS platforms_28,
        count(*) FILTER (WHERE day < 7) AS events_7,
        count(*) FILTER (WHERE day < 28) AS events_28,
        count(*) FILTER (WHERE is_message AND day < 7) AS messages_7,
        count(*) FILTER (WHERE is_message AND day < 28) AS messages_28,
        sum(13.5 - day) FILTER (WHERE is_message AND day < 28) / 1827 AS message_frequency_trend,
        count(*) FILTER (WHERE event_type = 'session_started' AND day < 7) AS sessions_7,
        count(*) FILTER (WHERE event_type = 'session_started' AND day < 28) AS sessions_28,
        count(*) FILTER (WHERE event_type = 'raid_action' AND day < 28) AS raid_actions_28,
        count(*) FILTER (WHERE event_type = 'ai_interaction' AND day < 28) AS ai_interactions_28,
        count(*) FILTER (WHERE event_type = 'purchase' AND day < 28) AS purchases_28,
        round(sumKahan(value) FILTER (WHERE event_type = 'purchase' AND day < 28), 6) AS spend_usd_28
    FROM known GROUP BY user_key
)
SELECT e.user_key AS user_key, e.user_id AS user_id,
    (toUnixTimestamp64Micro($cutoff) - toUnixTimestamp64Micro(e.first_at)) / 86400e6 AS tenure_days,
    (toUnixTimestamp64Micro($cutoff) - toUnixTimestamp64Micro(e.last_at)) / 86400e6 AS days_since_last_active,
    bitCount(bitAnd(l.days, 127)) AS active_days_7, bitCount(bitAnd(l.days, 268435455)) AS active_days_28,
    bitCount(l.days) AS active_days_56, m.* EXCEPT (user_key), l.* EXCEPT (user_key, days)
FROM ever AS e LEFT JOIN milestones AS m ON m.user_key = e.user_key LEFT JOIN lately AS l ON l.user_key = e.user_key
