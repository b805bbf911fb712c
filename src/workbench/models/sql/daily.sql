-- How many people were active and how many messages they wrote, day by day.
-- in : events, $timezone VARCHAR, $until TIMESTAMPTZ (exclusive; NULL for no end)
-- out: one row per day with an event, by day: day (DATE in the time zone), active_users, messages, last_at (of its
--      events)
SELECT
    CAST(timezone($timezone, occurred_at) AS DATE) AS day,
    count(DISTINCT user_id) AS active_users,
    count(*) FILTER (event_type IN ('first_message', 'message_sent')) AS messages,
    max(occurred_at) AS last_at
FROM events
WHERE $until::TIMESTAMPTZ IS NULL OR occurred_at < $until::TIMESTAMPTZ
GROUP BY day
ORDER BY day
