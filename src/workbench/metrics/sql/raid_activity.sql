-- The raids that ran at any moment of the time asked for.
-- in : events, $since, $until, $now TIMESTAMPTZ
-- out: one row per raid that started: raid_id, started_at, ended_at (NULL while it runs), participants (distinct people
--      who joined), actions, success (NULL while it runs, or where its end does not say)
--
-- An end that is told twice counts as the later told it, of two at one instant the success, on every run: any_value would
-- take whichever it met.
WITH told AS (
    SELECT *, TRY_CAST(json_extract_string(properties, '/success') AS BOOLEAN) AS won
    FROM events
    WHERE raid_id IS NOT NULL AND occurred_at <= $now
)
SELECT
    raid_id,
    min(occurred_at) FILTER (WHERE event_type = 'raid_started') AS started_at,
    max(occurred_at) FILTER (WHERE event_type = 'raid_ended') AS ended_at,
    count(DISTINCT user_key) FILTER (WHERE event_type = 'raid_joined') AS participants,
    count(*) FILTER (WHERE event_type = 'raid_action') AS actions,
    arg_max(won, (occurred_at, won)) FILTER (WHERE event_type = 'raid_ended') AS success
FROM told
GROUP BY raid_id
HAVING started_at < $until AND coalesce(ended_at, $now) >= $since
ORDER BY started_at, raid_id
