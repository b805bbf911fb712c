-- How people felt in what they wrote.
-- in : events, $scored VARCHAR (the event type), $score_key, $since, $until, $now TIMESTAMPTZ, $tz VARCHAR
-- out: one row per day (microseconds on the clocks of $tz) with a score in [-1, 1]: messages, score_sum, score_squares
WITH told AS (
    SELECT {day} AS day, {score} AS score
    FROM events
    WHERE event_type = $scored AND occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
)
SELECT day, count(*) AS messages, {score_sum} AS score_sum, {score_squares} AS score_squares
FROM told
WHERE score >= -1 AND score <= 1
GROUP BY day
ORDER BY day
