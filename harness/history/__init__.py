"""The history of a project: every run and verdict, by commit (`harness history`, `harness query`, `harness bisect`).

row.py            a row, declared once: one metric of one cell of one run
folder.py         the folder that keeps them, a Parquet file for each run; partition.py: where in it; verdict.py: what
                  `gate`, `ci` and `ab` said, kept beside
rows_of_run.py    the rows of a run folder; rows_of_lockstep.py: of what `ci` and `ab` timed; entry.py: what is added
commits.py        what git knows of a branch; order.py: in what order points stand
series.py         a metric by commit: chosen_rows.py, point.py, lines.py (where they break), steps.py; shown by plot.py,
                  printed.py, series_json.py and trend_chart.py
query.py          SQL over it; query_process.py answers, query_frames.py goes between, query_text.py is what is shown
bisect.py         the commits between two points, and how git finds the one
"""
