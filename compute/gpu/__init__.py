"""The process's only GPU device: adapters, compute kernels, fences and readbacks."""
