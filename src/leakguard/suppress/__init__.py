"""Not finding again: identity, baseline, decisions, and what `allow` needs of the last run."""
