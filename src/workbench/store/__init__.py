"""Where events live: one protocol (`base`), the lake on local disk (`lake`), a frame in memory (`memory`)."""
