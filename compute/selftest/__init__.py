"""The self-test compares every kernel, and whole passes, with float64 models on the current adapter.

`run.prove` runs it, and `doctor --prove` prints the results. There is one file per group of kernels. Checks are plain
functions, which tests also call with more cases. The rest of the program does not import from here.
"""
