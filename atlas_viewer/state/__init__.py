"""Plain values that panels read, and plain functions of them: no drawing, no GPU."""
