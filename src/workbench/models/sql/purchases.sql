-- Every purchase with a value, for models that know customers by their purchases alone.
-- in : events, $until TIMESTAMPTZ (exclusive)
-- out: one row per purchase before $until: user_id, at (microseconds since 1970), value
--
-- A value of a million millions is a fault of the source, as are NaN and infinity: no sum would survive them.
SELECT user_id, epoch_us(occurred_at) AS at, value
FROM events
WHERE event_type = 'purchase' AND occurred_at < $until::TIMESTAMPTZ AND value > -1e12 AND value < 1e12
