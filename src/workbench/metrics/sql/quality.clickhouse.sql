-- What came in on each day, for telling whether a day is as days are.
-- in : events, $tz String, $since, $until DateTime64
-- out: one row per day with an event: day (text, on the clocks of $tz), events, users, last_at (its latest event), how
--      many have no platform, session_id, message_id or value, and repeated (as another in person, type and instant)
SELECT toString(toDate32(occurred_at, $tz)) AS day, count(*) AS events,
    uniqExact(user_key) AS users, max(occurred_at) AS last_at,
    count(*) - count(platform) AS without_platform, count(*) - count(session_id) AS without_session_id,
    count(*) - count(message_id) AS without_message_id, count(*) - count(value) AS without_value,
    count(*) - uniqExact(user_key, event_type, occurred_at) AS repeated
FROM events
WHERE occurred_at >= $since AND occurred_at < $until
GROUP BY day
ORDER BY day
