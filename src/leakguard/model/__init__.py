"""Frozen value types, one for each stage of a scan; import them from the module that names the stage."""
