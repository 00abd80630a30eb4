"""The history of a project: every run and verdict, by commit (`harness history`, `harness query`, `harness bisect`).

row.py            a row, declared once: one metric of one cell of one run
folder.py         the folder that keeps them, a Parquet file for each run; partition.py: where in it; verdict.py: what
                  `gate`, `ci` and `ab` said, kept beside
rows_of_run.py    the rows of a run folder
"""
