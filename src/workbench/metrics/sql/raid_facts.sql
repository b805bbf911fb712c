-- What is known of each raid: what a model of its success, or a person, may ask.
-- in : events, $since, $until, $now TIMESTAMPTZ, $messages VARCHAR[] (event types that are a message)
-- out: one row per raid that started in the time asked for: raid_id, platform, target, started_at, ended_at and success
--      (NULL while it runs), participants (distinct people who joined), actions, new_participants (of them, those who
--      had joined no raid before), reward_xp, value_usd (of purchases that name it), messages (that name it)
WITH firsts AS (
    SELECT user_key, arg_min(raid_id, (occurred_at, raid_id)) AS raid_id
    FROM events
    WHERE event_type = 'raid_joined' AND raid_id IS NOT NULL AND occurred_at <= $now
    GROUP BY user_key
),
newcomers AS (SELECT raid_id, count(*) AS new_participants FROM firsts GROUP BY raid_id),
facts AS (
    SELECT
        raid_id,
        arg_min(platform, (occurred_at, event_id)) FILTER (WHERE event_type = 'raid_started') AS platform,
        arg_min(json_extract_string(properties, '/target'), (occurred_at, event_id))
            FILTER (WHERE event_type = 'raid_started') AS target,
        min(occurred_at) FILTER (WHERE event_type = 'raid_started') AS started_at,
        max(occurred_at) FILTER (WHERE event_type = 'raid_ended') AS ended_at,
        count(DISTINCT user_key) FILTER (WHERE event_type = 'raid_joined') AS participants,
        count(*) FILTER (WHERE event_type = 'raid_action') AS actions,
        arg_max(TRY_CAST(json_extract_string(properties, '/success') AS BOOLEAN), (occurred_at, event_id))
            FILTER (WHERE event_type = 'raid_ended') AS success,
        arg_max(TRY_CAST(json_extract_string(properties, '/reward_xp') AS DOUBLE), (occurred_at, event_id))
            FILTER (WHERE event_type = 'raid_ended') AS reward_xp,
        coalesce(sum(value ORDER BY value) FILTER (WHERE event_type = 'purchase'), 0) AS value_usd,
        count(*) FILTER (WHERE list_contains($messages, event_type)) AS messages
    FROM events
    WHERE raid_id IS NOT NULL AND occurred_at <= $now
    GROUP BY raid_id
)
SELECT f.*, coalesce(n.new_participants, 0) AS new_participants
FROM facts AS f LEFT JOIN newcomers AS n USING (raid_id)
WHERE f.started_at >= $since AND f.started_at < $until
ORDER BY f.started_at, f.raid_id
