-- Who did how much where on a day (UTC).
-- in : events, $now, $since DateTime64 (the beginning of a day)
-- out: one row per person, platform and day since then
SELECT user_key, any(user_id) AS who, toString(assumeNotNull(platform)) AS place, toDate(occurred_at) AS day,
    count() AS events
FROM events
WHERE platform IS NOT NULL AND occurred_at >= $since AND occurred_at <= $now
GROUP BY user_key, place, day
