"""The command line: one small file per command. Each parses, calls a function of the house, and prints.

Importing this imports no torch, no transformers and no pandas, so that `harness --help` is quick.
"""

from harness.cli.boundary import main

__all__ = ["main"]
