"""The options of a draw, and the draw itself on the GPU."""
