"""GPT-2 on the GPU: checkpoints, tokenizer, forward pass, sampling, and the registry of every tensor.

Knows wgpu, NumPy and tiktoken, and nothing of windows. Start at `checkpoint.open_model`, `engine.Engine` and
`generator.Generation`.
"""
