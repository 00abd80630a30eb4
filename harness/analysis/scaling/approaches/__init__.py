"""Compute-optimal sizes without a law: the envelope of training curves, and isoFLOP curves."""
