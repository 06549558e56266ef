"""Writers for PNG pictures and video."""
