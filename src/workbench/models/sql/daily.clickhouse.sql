-- How many people were active and how many messages they wrote, day by day.
-- in : events, $timezone String, $until DateTime64 (exclusive; NULL for no end)
-- out: one row per day with an event, by day: day (Date32 in the time zone), active_users, messages
SELECT
    toDate32(toTimeZone(occurred_at, $timezone)) AS day,
    uniqExact(user_key) AS active_users,
    count(*) FILTER (WHERE event_type IN ('first_message', 'message_sent')) AS messages
FROM events
WHERE $until IS NULL OR occurred_at < $until
GROUP BY day
ORDER BY day
