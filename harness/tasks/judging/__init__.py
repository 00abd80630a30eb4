"""Answers become scores: filters, metrics, and the programs that judge programs."""
