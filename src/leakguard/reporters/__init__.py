"""One file a format; each has `write(report, out, options)` and gets only redacted material."""
