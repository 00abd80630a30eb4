"""Tasks: documents become prompts, and answers become scores. Imports no torch and knows no model.

The task format is that of lm-evaluation-harness: YAML with jinja templates and `!function`. `library.py` finds tasks by
name, `config.py` says what a file may hold, `data.py` finds the documents, `prompt.py` and `fewshot.py` make prompts of
them, `filters.py` and `metrics.py` judge the answers, `aggregate.py` makes numbers of the scores. `shipped/` has ours.
"""
