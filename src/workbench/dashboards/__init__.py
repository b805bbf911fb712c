"""Dashboards: pages of answers for Voilà. `controls` are the parts, `pages` the pages, `serve` runs them."""
