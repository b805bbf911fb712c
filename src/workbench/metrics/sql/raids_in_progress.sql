-- The raids that are in progress at an instant, and how many have joined by then.
-- in : events, $longest_ago, $now TIMESTAMPTZ
-- out: one row per raid that started after $longest_ago and was not told to end: raid_id, started_at, participants
--      (distinct people who joined)
SELECT
    raid_id,
    min(occurred_at) FILTER (WHERE event_type = 'raid_started') AS started_at,
    count(DISTINCT user_key) FILTER (WHERE event_type = 'raid_joined') AS participants
FROM events
WHERE raid_id IS NOT NULL AND occurred_at <= $now
GROUP BY raid_id
HAVING started_at > $longest_ago AND max(CASE WHEN event_type = 'raid_ended' THEN 1 ELSE 0 END) = 0
ORDER BY started_at, raid_id
