"""What a command found, for other programs: rows with typed columns, as CSV, JSON, Markdown or HTML.

rows.py: columns and rows; written.py: the formats and their one writer; choice.py: which metrics, cells and columns;
shapes.py: the columns of every command, which `harness schema` prints and docs/output.md explains; of_*.py: the rows of
each command.
"""
