"""A believable community with known ground truth, by a seed.

`community` gives its events day by day, `write` puts them into a file with the truth beside it.

plan (dates) · effects (laws) · people · visits · talk (with texts) · raids · ai · money ·
columns (arrays to events) · delivery (late, twice) · community (the day) · truth · write
"""

from workbench.simulate.community import Community, community
from workbench.simulate.truth import Truth
from workbench.simulate.write import SimulationSummary, write

__all__ = ["Community", "SimulationSummary", "Truth", "community", "write"]
