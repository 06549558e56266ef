"""Shared by all panels: theme, fonts, shortcuts, actions, widget tracking."""
