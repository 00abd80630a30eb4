"""Tasks: documents become prompts, and answers become scores. Imports no torch and knows no model.

The task format is that of lm-evaluation-harness: YAML with jinja templates and `!function`. `config.py` says what a
file may hold, `files/` reads files and finds tasks by name, `data/` finds the documents, `prompts/` makes prompts of
them, `judging/` judges the answers, `aggregation/` makes numbers of the scores. `code/` runs the Python of task files
and `programs/` the programs of models, both in processes of their own. `task.py` is one task with all of it, of
which `documents.py` are the rows that are asked and `chosen_splits.py` says where they come from; `ask.py` is what it
asks of a model. `shipped/` has ours.
"""
