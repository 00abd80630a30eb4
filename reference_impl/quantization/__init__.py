"""Weights stored in fewer bits: the formats, GPTQ, and checkpoints of them."""
