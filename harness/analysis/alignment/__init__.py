"""Analyses of aligned models: who answers better, and what reward costs in divergence."""
