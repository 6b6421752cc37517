"""Where bytes come from, one file a source; each satisfies `ports.Source`, none knows the engine."""
