"""The pygfx scene, and the displays that keep Strip and Map up to date."""
