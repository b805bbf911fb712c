-- How many requests there were, how many failed, and how long they took.
-- in : events, $asked VARCHAR[] (event types that are a request), $width BIGINT (microseconds of a window), $longest_ms,
--      $refused, $failed (statuses), $number VARCHAR (how a number is written), $no_error VARCHAR[], $response_time_key,
--      $status_key, $error_key, $since, $until, $now TIMESTAMPTZ; {segment}: what to break down by, '' for nothing
-- out: one row per segment and window with a request: segment, start (microseconds since 1970), requests, errors, timed
--      (those that say how long they took), p50_ms, p95_ms, p99_ms (NULL where none does)
--
-- A quantile is the smallest time that so many of a thousand do not exceed: exact, and a time that was measured.
WITH told AS (
    SELECT
        {segment} AS segment,
        {micros} AS moment,
        CASE WHEN {response_time_is_number} THEN {response_time} END AS ms,
        CASE WHEN {status_is_number} THEN {status} END AS status,
        {error} AS error
    FROM events
    WHERE {asked} AND occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
),
read AS (
    SELECT
        segment,
        moment - moment % $width AS start,
        CASE WHEN ms >= 0 AND ms <= $longest_ms THEN ms END AS ms,
        coalesce(NOT {no_error}, false) AND error IS NOT NULL
            OR coalesce(status >= $failed OR status = $refused, false) AS failed
    FROM told
),
placed AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY segment, start ORDER BY ms NULLS LAST) AS place,
        count(ms) OVER (PARTITION BY segment, start) AS timed_there
    FROM read
)
SELECT
    segment,
    start,
    count(*) AS requests,
    sum(CASE WHEN failed THEN 1 ELSE 0 END) AS errors,
    count(ms) AS timed,
    max(CASE WHEN place * 1000 >= timed_there * 500 AND (place - 1) * 1000 < timed_there * 500 THEN ms END) AS p50_ms,
    max(CASE WHEN place * 1000 >= timed_there * 950 AND (place - 1) * 1000 < timed_there * 950 THEN ms END) AS p95_ms,
    max(CASE WHEN place * 1000 >= timed_there * 990 AND (place - 1) * 1000 < timed_there * 990 THEN ms END) AS p99_ms
FROM placed
GROUP BY segment, start
ORDER BY segment, start
