"""From executed notebooks to pages that stand alone: `parameters` (checked), `render`, `sanitize`, `index`."""
