"""Answers become scores: filters, metrics, and the programs that judge programs.

What a task file lists of the first two is looked at before a model runs (`filter_check.py`, `metric_check.py`).
"""
