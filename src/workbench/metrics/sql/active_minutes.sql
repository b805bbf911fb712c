-- In which minutes people did anything.
-- in : events, $since, $until, $now TIMESTAMPTZ
-- out: one row per person and minute with an event, in no order: start of the minute (microseconds since 1970), user_key
WITH told AS (
    SELECT {micros} AS moment, user_key
    FROM events
    WHERE occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
)
SELECT DISTINCT moment - moment % 60000000 AS start, user_key
FROM told
