-- Every purchase with a value, for models that know customers by their purchases alone.
-- in : events, $until DateTime64 (exclusive)
-- out: one row per purchase before $until: user_id, at (microseconds since 1970), value
SELECT user_id, toUnixTimestamp64Micro(occurred_at) AS at, value
FROM events
WHERE event_type = 'purchase' AND occurred_at < $until AND value > -1e12 AND value < 1e12
