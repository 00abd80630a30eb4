"""Tell pip to install what the action's input names."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

WORDS = shlex.split(os.environ["INPUT_INSTALL"])
sys.exit(subprocess.call([sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *WORDS]))
