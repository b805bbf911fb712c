-- What AI interactions used, and how good they were.
-- in : events, $asked VARCHAR (the event type), $most (largest number that is believed), $model_key, $endpoint_key,
--      $prompt_key, $error_key, $input_key, $cached_key, $output_key, $quality_key, $satisfaction_key,
--      $no_error VARCHAR[], $since, $until, $now TIMESTAMPTZ, $tz VARCHAR
-- out: one row per day (microseconds on the clocks of $tz), model, endpoint and prompt_version, NULL for none:
--      interactions, errors, input_tokens, cached_tokens, output_tokens; of the interactions whose token counts are
--      possible how many there are and their fresh, cached and output tokens; and of quality and satisfaction the count,
--      sum and sum of squares
-- A count that cannot be is that of its own interaction alone: it has no price, and the others keep theirs.
WITH told AS (
    SELECT
        {day} AS day, {model} AS model, {endpoint} AS endpoint, {prompt} AS prompt_version, {error} AS error,
        CASE WHEN {input_text} IS NULL THEN 0 ELSE coalesce({input}, -1) END AS input,
        CASE WHEN {cached_text} IS NULL THEN 0 ELSE coalesce({cached}, -1) END AS cached,
        CASE WHEN {output_text} IS NULL THEN 0 ELSE coalesce({output}, -1) END AS output,
        {quality} AS quality,
        {satisfaction} AS satisfaction
    FROM events
    WHERE event_type = $asked AND occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
),
believed AS (
    SELECT
        day, model, endpoint, prompt_version,
        CASE WHEN coalesce(NOT {no_error}, false) AND error IS NOT NULL THEN 1 ELSE 0 END AS failed,
        CASE WHEN input >= 0 AND input <= $most AND floor(input) = input THEN input ELSE 0 END AS input,
        CASE WHEN cached >= 0 AND cached <= $most AND floor(cached) = cached THEN cached ELSE 0 END AS cached,
        CASE WHEN output >= 0 AND output <= $most AND floor(output) = output THEN output ELSE 0 END AS output,
        CASE WHEN input <= $most AND floor(input) = input AND cached >= 0 AND cached <= input
            AND floor(cached) = cached AND output >= 0 AND output <= $most AND floor(output) = output
            THEN 1 ELSE 0 END AS possible,
        CASE WHEN quality >= 0 AND quality <= 1 THEN quality END AS quality,
        CASE WHEN satisfaction >= 0 AND satisfaction <= 1 THEN satisfaction END AS satisfaction
    FROM told
)
SELECT
    day, model, endpoint, prompt_version,
    count(*) AS interactions,
    sum(failed) AS errors,
    sum(input) AS input_tokens,
    sum(cached) AS cached_tokens,
    sum(output) AS output_tokens,
    sum(possible) AS possible,
    sum(possible * (input - cached)) AS fresh_priced,
    sum(possible * cached) AS cached_priced,
    sum(possible * output) AS output_priced,
    count(quality) AS rated,
    {quality_sum} AS quality_sum,
    {quality_squares} AS quality_squares,
    count(satisfaction) AS answered,
    {satisfaction_sum} AS satisfaction_sum,
    {satisfaction_squares} AS satisfaction_squares
FROM believed
GROUP BY day, model, endpoint, prompt_version
