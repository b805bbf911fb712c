"""The inner loops of the questions that go person by person, compiled by Numba when they first run.

Loaded only where one is needed: Numba takes a moment to import. A kernel takes the rows of one part of the people as
`sequences` hands them out, and touches nothing else, so that parts run side by side.
"""
