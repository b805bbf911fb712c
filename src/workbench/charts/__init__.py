"""Charts: what is shown (`spec`), drawn live with bqplot (`live`) or as SVG for reports (`static`)."""
