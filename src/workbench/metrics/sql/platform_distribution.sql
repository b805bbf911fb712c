-- How many people each platform has, and for how many it is the main one.
-- in : events, $since, $until, $now TIMESTAMPTZ
-- out: one row per platform: platform (NULL where events name none), users (distinct people with an event on it),
--      main_users (of them, those who did most there; of equals the first by name), events
WITH habits AS (
    SELECT user_key, platform, count(*) AS events
    FROM events
    WHERE occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
    GROUP BY user_key, platform
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY user_key ORDER BY events DESC, platform NULLS LAST) AS place FROM habits
)
SELECT
    platform,
    count(*) AS users,
    count(*) FILTER (WHERE place = 1) AS main_users,
    sum(events)::BIGINT AS events
FROM ranked
GROUP BY platform
ORDER BY users DESC, platform
