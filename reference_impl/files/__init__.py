"""Data files of every kind: what stands in a file, with its types as the file has them, and where it is wrong.

`compression.py` opens a file whatever it is packed with, `lines.py` decodes it line by line, `json_rows.py`,
`csv_rows.py`, `arrow_rows.py` and `text_rows.py` read one format each (`arrow_sizes.py` and `parquet_pages.py` count
what would be unpacked before it is), `rows.py` picks the format by the file's name, and `folder.py` says which files of
a folder are data and which are passed over. Nothing is guessed from spelling: a cell of a CSV file is text, a JSON
value has JSON's type, a column of Parquet its own.
"""

from reference_impl.files.error import TextError
from reference_impl.files.rows import FORMATS, Located, is_known, read_rows

__all__ = ["FORMATS", "Located", "TextError", "is_known", "read_rows"]
