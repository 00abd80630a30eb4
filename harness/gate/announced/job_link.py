"""Where the CI job that is running can be looked at: its CI says so in the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping

_ADDRESSES = (
    ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID"),
    ("CI_JOB_URL",),  # GitLab
    ("BUILDKITE_BUILD_URL",),
    ("BUILD_URL",),  # Jenkins
)


def job_link(environment: Mapping[str, str] = os.environ) -> str | None:
    """The address of the job's page; None outside of a CI that tells one."""
    for names in _ADDRESSES:
        values = [environment.get(name, "") for name in names]
        if not all(values):
            continue
        link = values[0] if len(values) == 1 else f"{values[0]}/{values[1]}/actions/runs/{values[2]}"
        if link.startswith(("https://", "http://")) and link.isprintable() and len(link) < 1000:
            return link
    return None
