"""The residual stream read as predictions (logit lens), and logits split into what made them (attribution)."""
