-- What is known of each person just before an instant, from which the features of every model are made.
-- in : events, $cutoff TIMESTAMPTZ
-- out: one row per person with an event before $cutoff: user_key, user_id, and columns that `features.derived` takes
--
-- Each part reads only the rows and columns that it needs, and none from the cutoff on: nothing later can leak in.
-- A value of a million millions or more is a fault of its source: it would outweigh everybody.
-- Money is added up with compensation and rounded, so that the order of rows leaves no trace in the last digit.
-- Days are counted back from the cutoff (day 0 is the last 24 hours), so no time zone enters.
WITH ever AS (
    SELECT user_key, any_value(user_id) AS user_id, min(occurred_at) AS first_at, max(occurred_at) AS last_at
    FROM events WHERE occurred_at < $cutoff::TIMESTAMPTZ GROUP BY user_key
), rare AS (
    SELECT user_key, event_type, raid_id, CASE WHEN value > -1e12 AND value < 1e12 THEN value END AS value,
        epoch_us($cutoff::TIMESTAMPTZ) - epoch_us(occurred_at) AS age
    FROM events
    WHERE occurred_at < $cutoff::TIMESTAMPTZ
        AND event_type IN ('first_message', 'raid_joined', 'purchase', 'wallet_connected', 'message_sent')
), milestones AS (
    SELECT user_key, bool_or(event_type IN ('first_message', 'message_sent')) AS has_messaged,
        count(DISTINCT raid_id) FILTER (event_type = 'raid_joined') AS raids,
        count(DISTINCT raid_id) FILTER (event_type = 'raid_joined' AND age <= 2419200000000) AS raids_28,
        count(DISTINCT (age - 1) // 86400000000) FILTER (event_type = 'purchase') AS purchase_days,
        round(fsum(value) FILTER (event_type = 'purchase'), 6) AS spend_usd,
        max(age) FILTER (event_type = 'purchase') / 86400e6 AS days_since_first_purchase,
        min(age) FILTER (event_type = 'purchase') / 86400e6 AS days_since_purchase,
        max(age) FILTER (event_type = 'wallet_connected') / 86400e6 AS days_since_wallet
    FROM rare GROUP BY user_key
), known AS (
    SELECT user_key, event_type, platform, CASE WHEN value > -1e12 AND value < 1e12 THEN value END AS value,
        event_type IN ('first_message', 'message_sent') AS is_message,
        (epoch_us($cutoff::TIMESTAMPTZ) - epoch_us(occurred_at) - 1) // 86400000000 AS day
    FROM events
    WHERE occurred_at < $cutoff::TIMESTAMPTZ AND occurred_at >= $cutoff::TIMESTAMPTZ - INTERVAL 1344 HOUR
), on_platform AS (  -- platforms are counted by grouping twice, which is quicker than DISTINCT
    SELECT user_key, platform, bit_or(1::BIGINT << day) AS days,
        count(*) FILTER (day < 7) AS events_7,
        count(*) FILTER (day < 28) AS events_28,
        count(*) FILTER (is_message AND day < 7) AS messages_7,
        count(*) FILTER (is_message AND day < 28) AS messages_28,
        -- The slope of a least-squares line through 28 daily counts, silent ones too: sum((x - 13.5)^2) is 1827.
        sum(13.5 - day) FILTER (is_message AND day < 28) AS message_frequency_trend,
        count(*) FILTER (event_type = 'session_started' AND day < 7) AS sessions_7,
        count(*) FILTER (event_type = 'session_started' AND day < 28) AS sessions_28,
        count(*) FILTER (event_type = 'raid_action' AND day < 28) AS raid_actions_28,
        count(*) FILTER (event_type = 'ai_interaction' AND day < 28) AS ai_interactions_28,
        count(*) FILTER (event_type = 'purchase' AND day < 28) AS purchases_28,
        round(fsum(value) FILTER (event_type = 'purchase' AND day < 28), 6) AS spend_usd_28
    FROM known GROUP BY user_key, platform
), lately AS (
    SELECT user_key, bit_or(days) AS days, count(platform) FILTER (events_28 > 0) AS platforms_28,
        sum(message_frequency_trend) / 1827 AS message_frequency_trend, round(fsum(spend_usd_28), 6) AS spend_usd_28,
        sum(COLUMNS(* EXCLUDE (user_key, platform, days, message_frequency_trend, spend_usd_28)))
    FROM on_platform GROUP BY user_key
)
SELECT e.user_key, e.user_id,
    (epoch_us($cutoff::TIMESTAMPTZ) - epoch_us(e.first_at)) / 86400e6 AS tenure_days,
    (epoch_us($cutoff::TIMESTAMPTZ) - epoch_us(e.last_at)) / 86400e6 AS days_since_last_active,
    bit_count(l.days & 127) AS active_days_7,
    bit_count(l.days & 268435455) AS active_days_28,
    bit_count(l.days) AS active_days_56,
    m.* EXCLUDE (user_key), l.* EXCLUDE (user_key, days)
FROM ever AS e LEFT JOIN milestones AS m USING (user_key) LEFT JOIN lately AS l USING (user_key)
