"""One target a file; the file's name is the target's. Each defines `TARGET`."""
