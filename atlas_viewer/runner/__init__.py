"""A model that is ready to run and inspect: engine, tokenizer and views together."""
