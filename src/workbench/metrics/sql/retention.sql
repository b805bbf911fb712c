-- In which periods people came back after they started.
-- in : events, $events VARCHAR[] (types of the start and of the return), {start} and {returns}: the rows that are one,
--      $cells BIGINT[], $before INTEGER[], $changes TIMESTAMPTZ[], $after INTEGER[] (the periods of the time zone:
--      per 12 hours the number they begin with, when it changes, and to what), $since, $until, $now TIMESTAMPTZ,
--      $recurring BOOLEAN (a cohort for every period with a start, else for the first start ever),
--      $rolling BIGINT (length of a period in microseconds from each start; NULL for the calendar's)
-- out: one row per person and cohort: user_id, cohort (number of the period they started in),
--      periods (distinct numbers of the periods with a return, 0 for the one of the start)
WITH calendar AS (
    SELECT unnest($cells) AS cell, unnest($before) AS before, unnest($changes) AS changes_at, unnest($after) AS after
),
starts AS MATERIALIZED (
    SELECT user_key, any_value(user_id) AS user_id, min(period) AS cohort, min(occurred_at) AS started_at
    FROM (
        SELECT *, if(occurred_at < changes_at, before, after) AS period
        FROM events JOIN calendar ON epoch_us(occurred_at) // 43200000000 = cell
        WHERE {start} AND occurred_at <= $now
    )
    WHERE NOT $recurring OR (occurred_at >= $since AND occurred_at < $until)
    GROUP BY user_key, if($recurring, period, NULL)
    HAVING min(occurred_at) >= $since AND min(occurred_at) < $until
),
returned AS (
    SELECT s.user_key, s.cohort, list(DISTINCT if(
        $rolling::BIGINT IS NULL,
        if(e.occurred_at < changes_at, before, after) - s.cohort,
        (epoch_us(e.occurred_at) - epoch_us(s.started_at)) // $rolling::BIGINT
    )) AS periods
    FROM starts AS s
    JOIN (SELECT user_key, occurred_at FROM events WHERE {returns} AND occurred_at <= $now) AS e
        ON e.user_key = s.user_key AND e.occurred_at >= s.started_at
    JOIN calendar ON epoch_us(e.occurred_at) // 43200000000 = cell
    GROUP BY s.user_key, s.cohort
)
SELECT user_id, cohort, coalesce(periods, []) AS periods
FROM starts LEFT JOIN returned USING (user_key, cohort)
ORDER BY cohort, user_id
