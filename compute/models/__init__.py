"""What a model is: its sizes, its tensors and where they are, and a sentence about each of them."""
