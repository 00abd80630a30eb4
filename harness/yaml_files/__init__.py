"""YAML that people write, suites and task files: values with the place of each, its bounds, and what it includes."""
