-- What people spent in each month after the one in which they were first seen.
-- in : events, $tz VARCHAR, $since, $until TIMESTAMPTZ (of first events; what was spent counts up to $until)
-- out: one row per cohort and month with somebody seen first then: cohort (text, the first day of its month on the clocks
--      of $tz), cohort_size, period (months since; NULL where nobody bought), buyers, value_usd
WITH seen AS (
    SELECT user_key, date_trunc('month', min(occurred_at) AT TIME ZONE $tz) AS cohort
    FROM events WHERE occurred_at < $until::TIMESTAMPTZ
    GROUP BY user_key HAVING min(occurred_at) >= $since::TIMESTAMPTZ
), sizes AS (
    SELECT cohort, count(*) AS cohort_size FROM seen GROUP BY cohort
), spent AS (
    SELECT cohort, date_diff('month', cohort, date_trunc('month', occurred_at AT TIME ZONE $tz)) AS period,
        count(DISTINCT user_key) AS buyers, sum(value ORDER BY value) AS value_usd
    FROM events JOIN seen USING (user_key)
    WHERE event_type = 'purchase' AND value > 0 AND value < 'infinity'::DOUBLE AND occurred_at < $until::TIMESTAMPTZ
    GROUP BY cohort, period
)
SELECT strftime(z.cohort, '%Y-%m-%d') AS cohort, z.cohort_size, s.period, s.buyers, s.value_usd
FROM sizes AS z LEFT JOIN spent AS s ON s.cohort = z.cohort
ORDER BY cohort, period
