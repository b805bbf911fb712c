-- When events occurred, coarsely: where they begin and end, and where nothing happened for long.
-- in : events; $latest (DateTime64), later events have a wrong clock.
-- out: one row per UTC day with an event: first_at, last_at, events.
SELECT min(occurred_at) AS first_at, max(occurred_at) AS last_at, count(*) AS events
FROM events
WHERE occurred_at <= $latest
GROUP BY intDiv(toUnixTimestamp64Micro(occurred_at), 86400000000)
ORDER BY first_at
