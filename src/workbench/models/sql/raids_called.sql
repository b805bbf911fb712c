-- How many raids the community called in the 28 days before an instant.
-- in : events, $cutoff TIMESTAMPTZ, $since TIMESTAMPTZ (28 days before it)
-- out: one row: raids
SELECT count(DISTINCT raid_id) AS raids
FROM events
WHERE event_type = 'raid_started' AND occurred_at >= $since AND occurred_at < $cutoff
