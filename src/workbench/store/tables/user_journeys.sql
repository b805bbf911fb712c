-- Journeys: the events of a person without a pause of half an hour.
-- in : events, $now, $since DateTime64 (journeys that began then or later; one that was under way is left as it is)
-- out: one row per journey; conversion_points are the types of what people come for, in the order of their first time
SELECT user_key, any(user_id) AS who, concat(any(user_id), '-', toString(toUnixTimestamp64Micro(begins))) AS journey_id,
    begins AS start_time, max(occurred_at) AS end_time, count() AS total_steps,
    arrayDistinct(arrayMap(one -> one.2, arraySort(groupArrayIf((occurred_at, toString(event_type)), event_type IN
        ('first_message', 'raid_joined', 'wallet_connected', 'purchase'))))) AS conversion_points
FROM (
    SELECT *, max(if(fresh, occurred_at, toDateTime64(0, 6, 'UTC'))) OVER (PARTITION BY user_key ORDER BY occurred_at
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS begins
    FROM (
        SELECT user_key, user_id, event_type, occurred_at, dateDiff('microsecond', lagInFrame(occurred_at, 1,
            toDateTime64(0, 6, 'UTC')) OVER (PARTITION BY user_key ORDER BY occurred_at
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW), occurred_at) >= 1800000000 AS fresh
        FROM events
        WHERE occurred_at >= $since - INTERVAL 1 DAY AND occurred_at <= $now
    )
)
GROUP BY user_key, begins
HAVING start_time >= $since
