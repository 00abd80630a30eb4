"""The documents of a task: where they come from, and their rows.

`source.py` finds out where they are: `local_files.py` (whose formats `files.py` reads), `microworld_questions.py` or
`hub.py`. They come as `rows.py`, which has the methods that helper code of task files calls.
"""
