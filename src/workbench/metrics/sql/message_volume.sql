-- How many messages were written, and by how many people.
-- in : events, $messages VARCHAR[] (event types that are a message), $period VARCHAR (hour, day, week or month),
--      $tz VARCHAR, $since, $until, $now TIMESTAMPTZ
-- out: one row per period with a message: period TIMESTAMP (its start on the clocks of $tz), messages, users
SELECT
    date_trunc($period, timezone($tz, occurred_at))::TIMESTAMP AS period,
    count(*) AS messages,
    count(DISTINCT user_key) AS users
FROM events
WHERE list_contains($messages, event_type) AND occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
GROUP BY period
ORDER BY period
