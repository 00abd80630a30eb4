"""A gate's result, written for whoever reads it.

tables.py         what was judged, what stands out, and what is told below: for both of
terminal.py       the terminal
markdown.py       the summary of a CI job
plain_data.py     JSON
junit.py          a CI's list of tests: GitLab, Jenkins, Buildkite
sarif.py          a code-scanning view; suite_lines.py: the line of the suite that asks for what is judged
files.py          all of these as the files that a command was asked for
"""
