"""What a run leaves behind: records, samples, manifest and journal in its folder, and the machine they come from.

`run.py` is a folder as it is read, of which `run_folder.py` has the names; `manifest.py`, `cell_lines.py`, `samples.py`
and `made_files.py` read its files, and `damage.py` says what of them can't be believed. `journal.py` writes them.
"""
