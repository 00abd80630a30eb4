"""A run in an experiment tracker: Weights & Biases, MLflow or TensorBoard.

told.py: what a tracker is told of a run, as plain data; one file for each tracker, which imports its package where it
is used; target.py: which tracker, by name, and how it is told without harm to the run.
"""
