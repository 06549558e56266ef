"""Language models on the GPU: checkpoints, tokenizer, forward pass, sampling, and the registry of every tensor.

Depends on wgpu, NumPy and tiktoken, and not on the viewer. Start at `weights.checkpoint.open_model`,
`forward.engine.Engine` and `generate.generator.Generation`.
"""
