"""From files to the store.

`sources` finds files and opens them, `chunks` cuts them up, `rows` and `columns` apply a mapping to what
is in them, `batches` tells events from rejects, and `files` commits. `rejects` is for what was set aside.
"""
