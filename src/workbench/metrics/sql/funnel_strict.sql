-- The attempts at a strict funnel: nothing may stand between two steps, among all events of the person.
-- in : as funnel.sql, $entries VARCHAR[] (type of step 1)
-- out: as funnel_people.sql; `reached` has one row per attempt and step it came to
--
-- An attempt goes from instant to instant of the person. The rows of one instant may be taken in any order,
-- so at its first instant others can come before, at its last one others can come after, and at those
-- between every row must be a step (whole).
WITH RECURSIVE matched AS MATERIALIZED (
    SELECT user_key, occurred_at, {bits} AS bits
    FROM events SEMI JOIN (SELECT user_key FROM events WHERE list_contains($entries, event_type)) USING (user_key)
    WHERE occurred_at <= $now
),
places AS MATERIALIZED (
    SELECT user_key, occurred_at, count(*) AS size,
        row_number() OVER (PARTITION BY user_key ORDER BY occurred_at) AS place
    FROM matched
    GROUP BY user_key, occurred_at
),
instants AS MATERIALIZED (
    SELECT user_key, occurred_at, bits, count(*) AS copies
    FROM matched
    WHERE bits > 0
    GROUP BY user_key, occurred_at, bits
),
{runs},
links AS MATERIALIZED (
    SELECT DISTINCT user_key, occurred_at, place, step, reach, reach - step + 1 = size AS whole
    FROM runs JOIN places USING (user_key, occurred_at)
),
reached_1 AS MATERIALIZED (
    SELECT user_key, place, true AS whole, list_resize([occurred_at], reach, occurred_at) AS times
    FROM links
    WHERE step = 1 AND occurred_at >= $since AND occurred_at < $until
),
--[ for each step from 2
reached_{k} AS MATERIALIZED (
    SELECT a.user_key, l.place, l.whole, a.times || list_resize([l.occurred_at], l.reach - {before}, l.occurred_at) AS times
    FROM reached_{before} AS a JOIN links AS l ON l.user_key = a.user_key AND l.place = a.place + 1
    WHERE len(a.times) = {before} AND a.whole AND l.step = {k} AND l.occurred_at <= a.times[1] + $within
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
