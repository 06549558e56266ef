"""One target per file, which defines `TARGET` and has the target's name."""
