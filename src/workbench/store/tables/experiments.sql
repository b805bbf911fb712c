-- Who saw which variant first.
-- in : events, $now DateTime64, $since (not used: the first time may have been long ago)
-- out: one row per experiment and person who was exposed
SELECT JSONExtractString(properties, 'experiment') AS experiment, any(user_id) AS unit_id,
    argMin(JSONExtractString(properties, 'variant'), (occurred_at, event_id)) AS variant, min(occurred_at) AS exposed_at
FROM events
WHERE event_type = 'experiment_exposed' AND occurred_at <= $now
    AND JSONExtractString(properties, 'experiment') != '' AND JSONExtractString(properties, 'variant') != ''
GROUP BY experiment, user_key
