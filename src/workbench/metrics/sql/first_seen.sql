-- Which types of events there are, and since when.
-- in : events, $until TIMESTAMPTZ
-- out: one row per type with an event before $until: event_type, first_at, events
SELECT event_type, min(occurred_at) AS first_at, count(*) AS events
FROM events
WHERE occurred_at < $until
GROUP BY event_type
ORDER BY event_type
