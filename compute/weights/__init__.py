"""Model files in every format, their upload to the GPU, conversion and verification."""
