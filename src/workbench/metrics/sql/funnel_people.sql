-- The attempt that counts for each person: the longest, then the earliest.
-- in : reached (user_key, times), $entries VARCHAR[] (types that open an attempt), $settled TIMESTAMPTZ (now - within)
-- out: one row per person who entered: user_id, times (instant of each step of that attempt), settled_step
--      (furthest step of the attempts whose window has closed, NULL for none), in_flight (one is still open)
people AS (
    SELECT
        user_key,
        arg_min(times, (-len(times), times)) AS times,
        max(len(times)) FILTER (WHERE times[1] <= $settled) AS settled_step,
        max(times[1]) > $settled AS in_flight
    FROM reached
    GROUP BY user_key
),
names AS (
    SELECT user_key, any_value(user_id) AS user_id
    FROM events
    WHERE list_contains($entries, event_type)
    GROUP BY user_key
)
SELECT user_id, times, settled_step, in_flight
FROM people JOIN names USING (user_key)
ORDER BY user_id
