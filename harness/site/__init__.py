"""A static site over the history (`harness site`): a folder that opens from disk, without a server.

write.py          the command's work: the history as data files, beside the page
folder.py         the folder: what may be written there, what of an earlier writing goes
index_data.py     what every view needs at once: runs, series, metrics, verdicts
numbering.py      each distinct thing once, by its number
value_data.py     the values of each run; series_data.py: the same values as series, with steps and breaks
verdict_data.py   verdicts and what they rest on; ab_data.py: an `ab`'s as a small table
plain.py          plain data of a kind, whatever a history's file holds
script_file.py    data as a script that a page loads from disk
page/             the page: HTML, CSS and JavaScript, as they are
"""
