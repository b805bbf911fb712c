-- How many people were active on each platform, day by day: how many a raid could have reached.
-- in : events, $tz VARCHAR, $until TIMESTAMPTZ (exclusive)
-- out: one row per day and platform: day (DATE in $tz), platform, active_users
SELECT timezone($tz, occurred_at)::DATE AS day, platform, count(DISTINCT user_key) AS active_users
FROM events
WHERE platform IS NOT NULL AND occurred_at < $until
GROUP BY timezone($tz, occurred_at)::DATE, platform
ORDER BY day, platform
