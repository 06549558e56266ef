"""The window: frame loop, events, run control, model switching and recording controls."""
