-- How many people were active and how many messages they wrote, day by day.
-- in : events, $timezone VARCHAR, $until TIMESTAMPTZ (exclusive; NULL for no end)
-- out: one row per day with an event, by day: day (DATE in the time zone), active_users, messages
SELECT
    CAST(timezone($timezone, occurred_at) AS DATE) AS day,
    count(DISTINCT user_id) AS active_users,
    count(*) FILTER (event_type IN ('first_message', 'message_sent')) AS messages
FROM events
WHERE $until::TIMESTAMPTZ IS NULL OR occurred_at < $until::TIMESTAMPTZ
GROUP BY day
ORDER BY day
