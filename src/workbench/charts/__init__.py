"""Charts: what is shown (`spec`), drawn live with bqplot (`live`) or as SVG for reports (`static`).

Both renderers read the same plan, so that they agree: `axes` (ranges and ticks), `layout` (margins and texts),
`shapes` and `ring` (colours, bars, cells, shares), `formats` (how numbers are written), `look` (colours and type).
"""
