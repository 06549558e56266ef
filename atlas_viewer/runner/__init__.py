"""A model ready to run and inspect: engine, tokenizer and views together."""
