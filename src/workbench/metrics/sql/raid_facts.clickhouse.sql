-- What is known of each raid: what a model of its success, or a person, may ask.
-- in : events, $since, $until, $now DateTime64, $messages Array(String) (event types that are a message)
-- out: one row per raid that started in the time asked for: raid_id, platform, target, started_at, ended_at and success
--      (NULL while it runs), participants (distinct people who joined), actions, new_participants (of them, those who
--      had joined no raid before), reward_xp, value_usd (of purchases that name it), messages (that name it)
WITH firsts AS (
    SELECT user_key, argMin(raid_id, (occurred_at, raid_id)) AS raid_id
    FROM events
    WHERE event_type = 'raid_joined' AND raid_id IS NOT NULL AND occurred_at <= $now
    GROUP BY user_key
),
newcomers AS (SELECT raid_id, count(*) AS new_participants FROM firsts GROUP BY raid_id),
told AS (
    SELECT
        *,
        if(JSONType(properties, 'success') = 'Double', NULL, lower(JSONExtractString(properties, 'success'))) AS how,
        if(JSONType(properties, 'target') = 'Null', NULL, JSONExtractString(properties, 'target')) AS aim,
        toFloat64OrNull(trimBoth(JSONExtractString(properties, 'reward_xp'))) AS xp
    FROM events
    WHERE raid_id IS NOT NULL AND occurred_at <= $now
),
facts AS (
    SELECT
        raid_id,
        argMin(platform, (occurred_at, event_id)) FILTER (WHERE event_type = 'raid_started') AS platform,
        argMin(aim, (occurred_at, event_id)) FILTER (WHERE event_type = 'raid_started') AS target,
        min(occurred_at) FILTER (WHERE event_type = 'raid_started') AS started_at,
        max(occurred_at) FILTER (WHERE event_type = 'raid_ended') AS ended_at,
        count(DISTINCT user_key) FILTER (WHERE event_type = 'raid_joined') AS participants,
        count(*) FILTER (WHERE event_type = 'raid_action') AS actions,
        argMax(
            multiIf(how IN ('true', 't', 'yes', 'y', '1'), true, how IN ('false', 'f', 'no', 'n', '0'), false, NULL),
            (occurred_at, event_id)
        ) FILTER (WHERE event_type = 'raid_ended') AS success,
        argMax(xp, (occurred_at, event_id)) FILTER (WHERE event_type = 'raid_ended') AS reward_xp,
        arraySum(arraySort(groupArrayIf(value, event_type = 'purchase'))) AS value_usd,
        count(*) FILTER (WHERE has($messages, event_type)) AS messages
    FROM told
    GROUP BY raid_id
)
SELECT f.*, coalesce(n.new_participants, 0) AS new_participants
FROM facts AS f LEFT JOIN newcomers AS n USING (raid_id)
WHERE f.started_at >= $since AND f.started_at < $until
ORDER BY f.started_at, f.raid_id
