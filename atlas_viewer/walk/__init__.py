"""Walks: pages of text about the model, each with a subject that the window shows. Files are read and checked here."""
