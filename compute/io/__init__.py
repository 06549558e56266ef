"""Files: mapped for reading, written whole or not at all, JSON from untrusted sources, and text made safe to show."""
