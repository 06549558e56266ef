"""Plain values that panels read, and plain functions on them, without drawing or GPU."""
