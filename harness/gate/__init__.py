"""Judges runs: expectations of a suite, and two runs side by side. Knows no model."""
