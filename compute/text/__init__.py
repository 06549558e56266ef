"""The tokenizer: text to token ids and back."""
