"""The one GPU device: adapters, compute kernels, fences and readbacks."""
