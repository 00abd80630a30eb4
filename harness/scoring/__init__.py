"""Token ids in, log-probabilities out: windows, batching, and log-softmax without a second copy of the logits."""
