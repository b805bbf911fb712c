-- What is known of each person.
-- in : events, $now DateTime64, $tz String, $messages Array(String) (event types that are a message)
-- out: one row per person: user_id, first_seen, last_seen, active_days (days in $tz with an event), events, messages,
--      sessions, session_seconds (of the sessions that ended), raids (distinct, joined), raid_actions, ai_interactions,
--      wallets (connected), purchases, value_usd, platforms (distinct), main_platform (of most events, then the first by
--      name; NULL where no event names one)
WITH known AS (
    SELECT *, toFloat64OrNull(trimBoth(JSONExtractString(properties, 'session_duration'))) AS seconds
    FROM events
    WHERE occurred_at <= $now
),
habits AS (
    SELECT user_key, platform, row_number() OVER (PARTITION BY user_key ORDER BY count(*) DESC, platform) AS place
    FROM known
    WHERE platform IS NOT NULL
    GROUP BY user_key, platform
)
SELECT
    any(k.user_id) AS user_id,
    min(k.occurred_at) AS first_seen,
    max(k.occurred_at) AS last_seen,
    count(DISTINCT toDate32(toTimeZone(k.occurred_at, $tz))) AS active_days,
    count(*) AS events,
    count(*) FILTER (WHERE has($messages, k.event_type)) AS messages,
    count(*) FILTER (WHERE k.event_type = 'session_started') AS sessions,
    arraySum(arraySort(groupArrayIf(k.seconds, k.event_type = 'session_ended'))) AS session_seconds,
    count(DISTINCT k.raid_id) FILTER (WHERE k.event_type = 'raid_joined') AS raids,
    count(*) FILTER (WHERE k.event_type = 'raid_action') AS raid_actions,
    count(*) FILTER (WHERE k.event_type = 'ai_interaction') AS ai_interactions,
    count(*) FILTER (WHERE k.event_type = 'wallet_connected') AS wallets,
    count(*) FILTER (WHERE k.event_type = 'purchase') AS purchases,
    arraySum(arraySort(groupArrayIf(k.value, k.event_type = 'purchase'))) AS value_usd,
    count(DISTINCT k.platform) AS platforms,
    any(h.platform) AS main_platform
FROM known AS k LEFT JOIN (SELECT user_key, platform FROM habits WHERE place = 1) AS h ON h.user_key = k.user_key
GROUP BY k.user_key
ORDER BY any(k.user_id)
