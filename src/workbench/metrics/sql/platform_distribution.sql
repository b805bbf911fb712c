-- How many people each platform has.
-- in : events, $since, $until, $now TIMESTAMPTZ
-- out: one row per platform: platform (NULL where events name none), users, events; and `everybody`, the distinct
--      people on all of them, who are fewer than the sum because some use several
WITH asked AS (
    SELECT user_key, platform FROM events WHERE occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
)
SELECT
    platform,
    count(DISTINCT user_key) AS users,
    count(*) AS events,
    (SELECT count(DISTINCT user_key) FROM asked) AS everybody
FROM asked
GROUP BY platform
ORDER BY users DESC, platform
