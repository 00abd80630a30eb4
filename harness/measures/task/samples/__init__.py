"""How the samples of the measure `task` are laid out: the one place that knows their columns.

column.py: what a column is; columns.py: every column, with what its values are and how they are stored; document.py: a
document as it was asked, answered and judged; rows.py: a document -> a row, and back; cell.py: what the first row tells
of the whole cell; frames.py: a frame's tasks, documents and metrics; of_evidence.py: what a model answered -> a
document. Rows that lack columns are read as well: a broken document has few, a run of an older version not all. Imports
no torch.
"""
