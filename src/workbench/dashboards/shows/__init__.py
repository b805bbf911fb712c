"""The pages, each a definition: which tiles, from which questions."""
