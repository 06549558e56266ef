"""Files: memory-mapped reading, atomic writing, JSON from untrusted sources, and escaping of text for messages."""
