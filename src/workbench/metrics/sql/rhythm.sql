-- How many people were there, hour by hour.
-- in : events, $since, $until, $now TIMESTAMPTZ, $tz VARCHAR
-- out: one row per hour with an event: hour (its start, microseconds on the clocks of $tz), users, events
SELECT {hour} AS hour, count(DISTINCT user_key) AS users, count(*) AS events
FROM events
WHERE occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
GROUP BY hour
ORDER BY hour
