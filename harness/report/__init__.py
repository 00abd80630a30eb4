"""Prints a run: terminal tables, Markdown, charts, and one self-contained HTML file. Measures nothing."""
