"""Bytes in, scored candidates out: prefilter, match, score, fold. No network, no files, no clock of its own."""
