"""Recordings of runs, one SQLite file each. docs/sessions.md describes the tables."""
