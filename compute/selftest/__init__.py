"""The self-test: every kernel, and whole passes, against float64 models on the adapter at hand.

`run.prove` runs it; `doctor --prove` prints it. One file a group of kernels: its checks are plain functions that tests
call, too, with more cases. Nothing else of the program imports from here.
"""
