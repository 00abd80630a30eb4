"""Scaling laws: runs -> a fitted law, what it predicts, how far that may be off, and whether to believe it.

`runs.py` is the data, `law.py` what a law is, a file each the laws (`chinchilla.py` …). `least_squares.py` solves many
fits at once, `fit.py` and `certificate.py` make one and examine it, `uncertainty.py` draws the runs again, `profile.py`
says what the data determine, `allocation.py` what to do with a budget.
"""
