-- What is known of each person.
-- in : events, $now TIMESTAMPTZ, $tz VARCHAR, $messages VARCHAR[] (event types that are a message)
-- out: one row per person: user_id, first_seen, last_seen, active_days (days in $tz with an event), events, messages,
--      sessions, session_seconds (of the sessions that ended), raids (distinct, joined), raid_actions, ai_interactions,
--      wallets (connected), purchases, value_usd, platforms (distinct), main_platform (of most events, then the first by
--      name; NULL where no event names one)
WITH known AS (SELECT * FROM events WHERE occurred_at <= $now),
habits AS (
    SELECT user_key, platform, row_number() OVER (PARTITION BY user_key ORDER BY count(*) DESC, platform) AS place
    FROM known
    WHERE platform IS NOT NULL
    GROUP BY user_key, platform
)
SELECT
    any_value(k.user_id) AS user_id,
    min(k.occurred_at) AS first_seen,
    max(k.occurred_at) AS last_seen,
    count(DISTINCT timezone($tz, k.occurred_at)::DATE) AS active_days,
    count(*) AS events,
    count(*) FILTER (WHERE list_contains($messages, k.event_type)) AS messages,
    count(*) FILTER (WHERE k.event_type = 'session_started') AS sessions,
    coalesce(sum(TRY_CAST(json_extract_string(k.properties, '/session_duration') AS DOUBLE)
        ORDER BY TRY_CAST(json_extract_string(k.properties, '/session_duration') AS DOUBLE))
        FILTER (WHERE k.event_type = 'session_ended'), 0) AS session_seconds,
    count(DISTINCT k.raid_id) FILTER (WHERE k.event_type = 'raid_joined') AS raids,
    count(*) FILTER (WHERE k.event_type = 'raid_action') AS raid_actions,
    count(*) FILTER (WHERE k.event_type = 'ai_interaction') AS ai_interactions,
    count(*) FILTER (WHERE k.event_type = 'wallet_connected') AS wallets,
    count(*) FILTER (WHERE k.event_type = 'purchase') AS purchases,
    coalesce(sum(k.value ORDER BY k.value) FILTER (WHERE k.event_type = 'purchase'), 0) AS value_usd,
    count(DISTINCT k.platform) AS platforms,
    any_value(h.platform) AS main_platform
FROM known AS k LEFT JOIN habits AS h ON h.user_key = k.user_key AND h.place = 1
GROUP BY k.user_key
ORDER BY user_id
