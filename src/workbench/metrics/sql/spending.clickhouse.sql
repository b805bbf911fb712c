-- What people spent in each month after the one in which they were first seen.
-- in : events, $tz String, $since, $until DateTime64 (of first events; what was spent counts up to $until)
-- out: one row per cohort and month with somebody seen first then: cohort (text, the first day of its month on the clocks
--      of $tz), cohort_size, period (months since; NULL where nobody bought), buyers, value_usd
WITH seen AS (
    SELECT user_key, toStartOfMonth(toDate32(min(occurred_at), $tz)) AS cohort
    FROM events WHERE occurred_at < $until
    GROUP BY user_key HAVING min(occurred_at) >= $since
), sizes AS (
    SELECT cohort, count(*) AS cohort_size FROM seen GROUP BY cohort
), spent AS (
    SELECT cohort, toInt64(dateDiff('month', cohort, toDate32(occurred_at, $tz))) AS period,
        toNullable(uniqExact(user_key)) AS buyers, toNullable(arraySum(arraySort(groupArray(value)))) AS value_usd
    FROM events INNER JOIN seen USING (user_key)
    WHERE event_type = 'purchase' AND value > 0 AND isFinite(value) AND occurred_at < $until
    GROUP BY cohort, period
)
SELECT toString(z.cohort) AS cohort, z.cohort_size AS cohort_size, s.period AS period, s.buyers AS buyers,
    s.value_usd AS value_usd
FROM sizes AS z LEFT JOIN (SELECT cohort, toNullable(period) AS period, buyers, value_usd FROM spent) AS s
    ON s.cohort = z.cohort
ORDER BY cohort, period
