"""A model: its sizes, its tensors, their locations and their descriptions."""
