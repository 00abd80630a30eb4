"""The documents of a task: where they come from, and their rows."""
