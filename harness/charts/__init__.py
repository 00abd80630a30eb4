"""The charts of a run: interactive in the HTML report, PNG or SVG from the same description."""
