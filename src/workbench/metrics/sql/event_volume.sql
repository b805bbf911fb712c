-- How many events there were, by platform and type.
-- in : events, $width BIGINT (microseconds of a window), $since, $until, $now TIMESTAMPTZ
-- out: one row per window, platform (NULL where it is not said) and type with an event: start (microseconds since 1970),
--      platform, event_type, events
WITH told AS (
    SELECT {micros} AS moment, platform, event_type
    FROM events
    WHERE occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
)
SELECT moment - moment % $width AS start, platform, event_type, count(*) AS events
FROM told
GROUP BY start, platform, event_type
ORDER BY start, platform NULLS FIRST, event_type
