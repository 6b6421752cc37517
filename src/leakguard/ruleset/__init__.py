"""Rules on disk to rules in memory: `load` (TOML), `templates`, `store` (the compiled set), `check` (the proof)."""
