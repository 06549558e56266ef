"""Many edited copies of one text in few passes: activation patching and ablation."""
