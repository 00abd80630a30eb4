"""An option that takes one value is given once: of two, one would be lost without a word."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from harness.cli.refusing import option_name
from harness.errors import UserError

SEVERAL = ("precision", "batch", "shots")
"""Options that take several values with commas between them."""


class OnceEach(TyperCommand):
    """A command that refuses an option of one value that stands twice."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words. Raises UserError for an option that stands twice."""
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
            for param in order:
                if _takes_one(param) and order.count(param) > 1:
                    several = ": write its values with commas between them" if param.name in SEVERAL else ""
                    raise UserError(f"is given twice; give it once{several}", place=option_name(param))
        return super().parse_args(ctx, args)


def _takes_one(param: Any) -> bool:
    """Whether it is an option of one value, and no switch."""
    if param.param_type_name != "option":
        return False
    return not (param.multiple or param.is_flag or getattr(param, "count", False))
