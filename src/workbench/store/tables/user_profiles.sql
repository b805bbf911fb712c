-- Who people are, as of an instant.
-- in : events, $now DateTime64, $since (not used: a profile is of all that somebody did)
-- out: one row per person, with the columns of the table
SELECT user_key, any(user_id) AS who, $now AS as_of, min(occurred_at) AS first_seen, max(occurred_at) AS last_seen,
    count() AS events, arraySort(groupUniqArrayIf(toString(assumeNotNull(platform)), platform IS NOT NULL)) AS platforms
FROM events
WHERE occurred_at <= $now
GROUP BY user_key
