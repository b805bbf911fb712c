-- The attempts at an ordered funnel: other events may stand between the steps.
-- in : events, $events VARCHAR[] (type per step), $within INTERVAL, $since, $until, $now TIMESTAMPTZ;
--      {steps}: how many; {bits}: the steps a row can be, bit 0 for step 1
-- out: as funnel_people.sql; `reached` has one row per attempt and step it came to
--
-- Every occurrence of step 1 opens an attempt. It takes the first row that fits its next step, from the
-- instant it stands at: two rows of one instant convert in either order. A row is used once, which only
-- matters where it fits several steps: at such an instant the run of steps decides how far it carries an
-- attempt, and the attempt goes on after that instant.
WITH RECURSIVE matched AS MATERIALIZED (
    SELECT user_key, occurred_at, {bits} AS bits
    FROM events
    WHERE list_contains($events, event_type) AND occurred_at <= $now
),
shared AS MATERIALIZED (SELECT DISTINCT user_key, occurred_at FROM matched WHERE bit_count(bits) > 1),
instants AS MATERIALIZED (
    SELECT user_key, occurred_at, bits, count(*) AS copies
    FROM matched SEMI JOIN shared USING (user_key, occurred_at)
    WHERE bits > 0
    GROUP BY user_key, occurred_at, bits
),
{runs},
links AS MATERIALIZED (
    SELECT user_key, occurred_at, occurred_at AS resume_at, bit_count(bits - 1) + 1 AS step, step AS reach
    FROM matched
    WHERE bit_count(bits) = 1
    UNION ALL
    SELECT user_key, occurred_at, occurred_at + INTERVAL 1 MICROSECOND, step, max(reach)
    FROM runs
    GROUP BY user_key, occurred_at, step
),
reached_1 AS MATERIALIZED (
    SELECT user_key, resume_at, list_resize([occurred_at], reach, occurred_at) AS times
    FROM links
    WHERE step = 1 AND occurred_at >= $since AND occurred_at < $until
),
--[ for each step from 2
reached_{k} AS MATERIALIZED (
    SELECT a.user_key, l.resume_at, a.times || list_resize([l.occurred_at], l.reach - {before}, l.occurred_at) AS times
    FROM (SELECT * FROM reached_{before} WHERE len(times) = {before}) AS a
    ASOF JOIN (SELECT * FROM links WHERE step = {k}) AS l
        ON a.user_key = l.user_key AND a.resume_at <= l.occurred_at
    WHERE l.occurred_at <= a.times[1] + $within
    UNION ALL
    SELECT * FROM reached_{before} WHERE len(times) >= {k}
),
--]
reached AS (
    SELECT user_key, times FROM reached_1
    --[ for each step from 2
    UNION ALL SELECT user_key, times FROM reached_{k}
    --]
),
{people}
