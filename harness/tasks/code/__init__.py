"""Code of task files: it runs in processes of its own, and the process that scores holds nothing of it but plain data.

`server.py` is a small process that forks hosts; `host.py` is what runs in one, with `modules.py` for the files,
`generators.py` for the random numbers and `judging.py` for what scores; `process.py` is the parent's side, and
`helper_state.py` (one folder up) what the rest of the tasks use. They tell each other tagged JSON (`tagged_json.py`).
"""
