"""Writers of PNG pictures and of video."""
