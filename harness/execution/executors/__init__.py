"""Where cells run: one file per kind of place."""
