"""The window: frame loop, events, run control, model switching, recording controls."""
