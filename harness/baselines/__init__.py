"""Baselines: runs that are kept to compare with, cut down so that they can be committed.

setting.py      what `harness baseline set` does: the only way in which a baseline moves
cutting.py      what of a run a baseline keeps
replacing.py    a folder in the place of another, at once
listing.py      the baselines that are here, and the log of one, as tables

How they are found and read is in `harness.results.baseline`, so that whatever reads a run reads a baseline too.
"""
