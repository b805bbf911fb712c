-- How long requests and AI interactions took, to the millisecond.
-- in : events, $asked VARCHAR[] (event types that are a request), $longest_ms, $response_time_key, $since, $until,
--      $now TIMESTAMPTZ
-- out: one row per event_type and whole millisecond (down) that some took: ms, requests
WITH told AS (
    SELECT event_type, {response_time} AS took
    FROM events
    WHERE {asked} AND occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
)
SELECT event_type, floor(took) AS ms, count(*) AS requests
FROM told
WHERE took >= 0 AND took <= $longest_ms
GROUP BY event_type, ms
ORDER BY event_type, ms
