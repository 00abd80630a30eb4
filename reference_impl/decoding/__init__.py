"""Texts from a model: sampling, beams, speculation, batches, and where an answer ends."""
