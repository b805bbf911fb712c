-- The runs of consecutive steps that the rows of one instant can make, taken in any order, each row once.
-- in : instants (user_key, occurred_at, bits: the steps such a row can be, copies: how many such rows)
-- out: one row per instant, first step and last step of a run: user_key, occurred_at, step, reach
runs AS (
    SELECT user_key, occurred_at, step, step AS reach, [bits] AS used
    FROM instants, range(1, {steps} + 1) AS numbers(step)
    WHERE bits & (1 << (step - 1)) > 0
    UNION
    SELECT r.user_key, r.occurred_at, r.step, r.reach + 1, list_sort(list_append(r.used, i.bits))
    FROM runs AS r JOIN instants AS i USING (user_key, occurred_at)
    WHERE i.bits & (1 << r.reach) > 0 AND len(list_filter(r.used, lambda taken: taken = i.bits)) < i.copies
)
