"""Measures of what models answer to prompts: scores by a judge, length, divergence, and which of two answers wins."""
