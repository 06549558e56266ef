"""The forward pass: the engine, its programs, its buffers and its memory budget."""
