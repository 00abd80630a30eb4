"""The Python face: what the command line does, as functions that return results and DataFrames, and print nothing.

runs.py          suites planned and run, runs found, reported and compared
evaluating.py    models asked tasks
perplexity.py    how well models predict a text
given_models.py  models by name, or in memory
generating.py    what a model writes
training.py      a model of one's own
fit.py           a scaling law fitted to a table
listing.py       what there is of each kind
words.py         the same as the tables of `harness list`
names.py         names alone, quickly
schema.py        JSON schemas
doctor.py        this machine
results.py       what a run comes back as
tables.py        what commands print
"""
