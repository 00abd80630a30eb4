"""Who moves a baseline: the user's name and address, as git knows them."""

from __future__ import annotations

from harness.gate.accepted import git_setting
from harness.gate.accepted import whoever as name_of_user


def whoever() -> str:
    """`Jane Doe <jane@example.org>`; the name alone where git knows no address."""
    name, address = name_of_user(), git_setting("user.email")
    return f"{name} <{address}>" if address else name
