-- How many people did anything, and how many of them for the first time ever.
-- in : events, $period VARCHAR (day, week or month), $tz VARCHAR, $since, $until, $now TIMESTAMPTZ
-- out: one row per period in which anything happened: period DATE (its first day in $tz), users, new_users, events
WITH asked AS (
    SELECT user_key, occurred_at, date_trunc($period, timezone($tz, occurred_at))::DATE AS period
    FROM events
    WHERE occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
),
arrivals AS (
    SELECT user_key, date_trunc($period, timezone($tz, min(occurred_at)))::DATE AS period FROM events GROUP BY user_key
),
people AS (
    SELECT user_key, period, count(*) AS events FROM asked GROUP BY user_key, period
)
SELECT
    p.period,
    count(*) AS users,
    count(*) FILTER (WHERE a.period = p.period) AS new_users,
    sum(p.events)::BIGINT AS events
FROM people AS p
JOIN arrivals AS a USING (user_key)
GROUP BY p.period
ORDER BY p.period
