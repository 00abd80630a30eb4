"""Scaling laws: runs -> a fitted law, what it predicts, how far that may be off, and whether to believe it.

`runs.py` is the data. laws/: `law.py` is what a law is, and each law has a file (`chinchilla.py` …). fitting/:
`least_squares.py` solves many fits at once, `fit.py` and `certificate.py` make one and examine it, `uncertainty.py`
draws the runs again, `profile.py` says what the data determine. approaches/: compute-optimal sizes without a law.
`allocation.py` says what to do with a budget. suite/: the analyses of a suite that use all this.
"""
