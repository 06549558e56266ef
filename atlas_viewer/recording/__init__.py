"""Recordings of runs: one SQLite file a session. docs/sessions.md describes the tables."""
