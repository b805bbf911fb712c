-- What AI interactions used, and how good they were.
-- in : events, $asked VARCHAR (the event type), $most (largest number that is believed), $model_key, $endpoint_key,
--      $prompt_key, $error_key, $input_key, $cached_key, $output_key, $quality_key, $satisfaction_key,
--      $no_error VARCHAR[], $since, $until, $now TIMESTAMPTZ, $tz VARCHAR
-- out: one row per day (microseconds on the clocks of $tz), model, endpoint and prompt_version: interactions, errors,
--      input_tokens, cached_tokens, output_tokens, and of quality and satisfaction the count, sum and sum of squares
WITH told AS (
    SELECT
        {day} AS day,
        coalesce({model}, '(none)') AS model,
        coalesce({endpoint}, '(none)') AS endpoint,
        coalesce({prompt}, '(none)') AS prompt_version,
        {error} AS error,
        {input} AS input,
        {cached} AS cached,
        {output} AS output,
        {quality} AS quality,
        {satisfaction} AS satisfaction
    FROM events
    WHERE event_type = $asked AND occurred_at >= $since AND occurred_at < $until AND occurred_at <= $now
),
believed AS (
    SELECT
        day, model, endpoint, prompt_version,
        CASE WHEN coalesce(NOT {no_error}, false) AND error IS NOT NULL THEN 1 ELSE 0 END AS failed,
        CASE WHEN input >= 0 AND input <= $most THEN input ELSE 0 END AS input,
        CASE WHEN cached >= 0 AND cached <= $most THEN cached ELSE 0 END AS cached,
        CASE WHEN output >= 0 AND output <= $most THEN output ELSE 0 END AS output,
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
    count(quality) AS rated,
    coalesce(sum(quality), 0) AS quality_sum,
    coalesce(sum(quality * quality), 0) AS quality_squares,
    count(satisfaction) AS answered,
    coalesce(sum(satisfaction), 0) AS satisfaction_sum,
    coalesce(sum(satisfaction * satisfaction), 0) AS satisfaction_squares
FROM believed
GROUP BY day, model, endpoint, prompt_version
ORDER BY day, model, endpoint, prompt_version
