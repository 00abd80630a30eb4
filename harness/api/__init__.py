"""The Python face: what the command line does, as functions that return results and DataFrames, and print nothing.

runs.py         suites planned and run, runs found, reported and compared
evaluating.py   models asked tasks, without a suite
results.py      what a run comes back as
tables.py       what commands print
"""
