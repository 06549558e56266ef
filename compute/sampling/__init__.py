"""Sampling: its options, and the draw of tokens on the GPU."""
