"""Python functions that task files name with `!function`."""
