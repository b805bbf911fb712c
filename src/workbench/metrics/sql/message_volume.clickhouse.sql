-- How many messages were written, and by how many people.
-- in : events, $messages Array(String) (event types that are a message), $period String (hour, day, week or month),
--      $tz String, $since, $until, $now DateTime64
-- out: one row per period with a message: period String (its start on the clocks of $tz: ClickHouse has no time without
--      a zone), messages, users
WITH shown AS (
    SELECT user_key, addSeconds(occurred_at, timeZoneOffset(toTimeZone(occurred_at, $tz))) AS clock
    FROM events
    WHERE event_type IN $messages AND occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
)
SELECT
    toString(toDateTime64(begin, 0, 'UTC')) AS period,
    count(*) AS messages,
    count(DISTINCT user_key) AS users
FROM shown
GROUP BY dateTrunc($period, clock) AS begin
ORDER BY begin
