"""What is in a file of alignment data, and what would be left of it: `python -m reference_impl.alignment.data`.

python -m reference_impl.alignment.data pairs.jsonl --kind preferences --tokenizer checkpoint/tokenizer.json
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, get_args

from reference_impl.alignment.data.conversation import Turns
from reference_impl.alignment.data.encoding import (
    Encoded,
    Limits,
    LongPrompts,
    LongResponses,
    encode_demonstrations,
    encode_judged,
    encode_preferences,
    encode_prompts,
)
from reference_impl.alignment.data.formats import FORMATS
from reference_impl.alignment.data.own_text import OwnText
from reference_impl.alignment.data.reading import KINDS, Data, read
from reference_impl.text.any_tokenizer import load_tokenizer
from reference_impl.text.dialog import Dialog

_ENCODE: dict[str, Any] = {
    "prompts": encode_prompts,
    "demonstrations": encode_demonstrations,
    "preferences": encode_preferences,
    "judged": encode_judged,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Tells the format, the counts and the first row, with a tokenizer also the counts in tokens. Exit code 2 for data
    that can't be read."""
    options = _parser().parse_args(arguments)
    try:
        columns = dict(map(_renamed, options.column))
        data: Data[Any] = read(
            options.path,
            KINDS[options.kind],
            format=options.format,
            columns=columns,
            turns=options.turns,
            split=options.split,
        )
        print(data)
        _show(data.rows[0])
        if options.tokenizer is not None:
            limits = Limits(options.context, None, None, options.long_prompts, options.long_responses)
            encoded: Encoded[Any] = _ENCODE[options.kind](data.rows, OwnText(load_tokenizer(options.tokenizer)), limits)
            print(encoded)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _renamed(pair: str) -> tuple[str, str]:
    ours, _, theirs = pair.partition("=")
    if not ours or not theirs:
        raise ValueError(f"--column is written OURS=THEIRS, as in prompt=question, not {pair!r}.")
    return ours, theirs


def _show(row: Any) -> None:
    """The first row, a line per field."""
    for name, value in vars(row).items():
        if name != "place" and value is not None:
            print(f"  {name}: {_short(value)}")


def _short(value: Any, most: int = 200) -> str:
    if isinstance(value, tuple):
        dialog: Dialog = value
        return " | ".join(f"{message.role}: {_short(message.content)}" for message in dialog)
    text = repr(value)
    return text if len(text) <= most else text[:most] + " ..."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m reference_impl.alignment.data",
        description="Say what is in a file of alignment data.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("path", help="a jsonl, json, csv, tsv, parquet or arrow file, a folder of them, or hub:OWNER/NAME")
    add("--kind", choices=tuple(KINDS), default="preferences", help="what its rows are")
    add("--format", choices=[one.name for one in FORMATS], default=None, help="by default told by the columns")
    add("--column", action="append", default=[], metavar="OURS=THEIRS", help="what a column is called in the file")
    add("--turns", choices=get_args(Turns), default="all", help="turns of the assistant that are demonstrations")
    add("--split", default=None, help="of a folder or a JSON file that has several")
    add("--tokenizer", default=None, help="tokenizer.json of a checkpoint: say what is left in token ids")
    add("--context", type=int, default=256, help="tokens of a prompt with its response")
    add("--long-prompts", choices=get_args(LongPrompts), default="leave_out", help="what becomes of them")
    add("--long-responses", choices=get_args(LongResponses), default="leave_out", help="what becomes of them")
    return parser


if __name__ == "__main__":
    sys.exit(main())
