"""The one guarded HTTP client: `policy` (where a request may go), `limits` (how often), `client` (asking), `message` (what is said)."""
