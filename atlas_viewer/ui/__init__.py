"""What all panels share: theme, fonts, shortcuts, actions, widget tracking."""
