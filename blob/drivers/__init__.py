"""The drivers of the box; each module knows nothing of the others."""
