-- How many people were active on each platform, day by day: how many a raid could have reached.
-- in : events, $tz String, $until DateTime64 (exclusive)
-- out: one row per day and platform: day (Date32 in $tz), platform, active_users
SELECT toDate32(toTimeZone(occurred_at, $tz)) AS day, platform, count(DISTINCT user_key) AS active_users
FROM events
WHERE platform IS NOT NULL AND occurred_at < $until
GROUP BY day, platform
ORDER BY day, platform
