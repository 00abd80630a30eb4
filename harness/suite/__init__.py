"""The suite language: YAML in, a validated `Suite` and its cells out.

`document.py` says which keys YAML of a suite may have, `include.py` merges included files, `schema/` says
what a suite may say, `load.py` joins them and turns every mistake into one located sentence, `cells.py` multiplies
the matrix out.
"""
