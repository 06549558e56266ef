"""Edits of a run: what changes which values of which tensor, parsed, resolved for a model, and applied on the GPU."""
