"""The notebooks as one chain: `build` (Ploomber, Papermill), `stamps` (what is up to date), `run`, `runs` (history)."""
