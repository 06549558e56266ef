"""The Python API: models, their activations and their texts as plain values. `atlas_viewer` re-exports it."""
