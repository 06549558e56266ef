"""Scripted tours: interface events from a file, played back and recorded."""
