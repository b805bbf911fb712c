-- The attempts at a funnel whose steps may be done in any order; step k is having done any k of them.
-- in : as funnel.sql, $twins BIGINT[] (per step the bit of the last earlier step that is the same, or 0)
-- out: as funnel_people.sql; `reached` has one row per attempt, number of steps and way of having done them
--
-- A row of any step opens an attempt; another row follows as soon as it adds a step. Where a row could be
-- several steps all ways are kept (done: the steps, as bits), so that a later row is not turned away.
-- Of steps that are the same the first is done first, which halves the ways and loses none.
WITH matched AS MATERIALIZED (
    SELECT user_key, occurred_at, {bits} AS bits,
        row_number() OVER (PARTITION BY user_key ORDER BY occurred_at, event_id) AS place
    FROM events
    WHERE list_contains($events, event_type) AND occurred_at <= $now
),
links AS MATERIALIZED (
    SELECT user_key, occurred_at, place, step
    FROM matched, range(1, {steps} + 1) AS numbers(step)
    WHERE bits & (1 << (step - 1)) > 0
),
reached_1 AS MATERIALIZED (
    SELECT user_key, place AS entry, place, 1::BIGINT << (step - 1) AS done, [occurred_at] AS times
    FROM links
    WHERE $twins[step] = 0 AND occurred_at >= $since AND occurred_at < $until
),
--[ for each step from 2
reached_{k} AS MATERIALIZED (
    SELECT DISTINCT a.user_key, a.entry, l.place, a.done | (1 << (l.step - 1)) AS done, a.times || [l.occurred_at] AS times
    FROM (
        SELECT *
        FROM reached_{before}, range(1, {steps} + 1) AS numbers(step)
        WHERE done & (1 << (step - 1)) = 0 AND done & $twins[step] = $twins[step]
    ) AS a
    ASOF JOIN links AS l ON a.user_key = l.user_key AND a.step = l.step AND a.place < l.place
    WHERE l.occurred_at <= a.times[1] + $within
    QUALIFY l.place = min(l.place) OVER (PARTITION BY a.user_key, a.entry)
),
--]
reached AS (
    SELECT user_key, times FROM reached_1
    --[ for each step from 2
    UNION ALL SELECT user_key, times FROM reached_{k}
    --]
),
{people}
