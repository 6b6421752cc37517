"""The one hardened way to git; nothing else in the project starts it."""
