"""Renders pictures and video frames of runs and recordings, without a window."""
