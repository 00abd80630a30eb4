"""The Python face: what the command line does, as functions that return results and DataFrames, and print nothing.

runs.py          suites planned and run, runs found, reported and compared
evaluating.py    models asked tasks, without a suite
perplexity.py    how well models predict a text
given_models.py  models by name, or in memory
fit.py           a scaling law fitted to a table
listing.py       what there is of each kind
doctor.py        this machine
results.py       what a run comes back as
"""
