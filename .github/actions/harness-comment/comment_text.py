"""A verdict as the text of a comment: the verdict first, then what changed and how sure, then a link to the run.

Names and reasons may be of anybody. They are shown as text: no Markdown, no HTML, no link, and nobody is called.
"""

from __future__ import annotations

import re

from verdict import VERDICTS, Change, Row, Verdict

MOST_CHARACTERS = 65_536
"""Of a comment on GitHub."""
MOST_LINES = 25
"""Of each list."""
_SIGNS = {"pass": "✅", "accepted": "✅", "minor": "✅", "inconclusive": "❔"}
_ACTING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]"
)
"""Characters that are no text: they hide it, turn it round, or break lines."""
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")
_BREAK = "\u200b"
"""A space without a width: what GitHub would link or call is none any more."""


def comment_text(verdict: Verdict, *, marker: str, link: str, commit: str) -> str:
    """The text, within GitHub's limit. link, commit: of the run, by GitHub and not by the run."""
    for rows, lines in ((50, MOST_LINES), (20, 8), (5, 2), (0, 0)):
        text = _text(verdict, marker, link, commit, rows, lines)
        if len(text) <= MOST_CHARACTERS:
            return text
    raise AssertionError("a comment without rows fits")


def no_verdict_text(why: str, *, marker: str, link: str, commit: str) -> str:
    """The text of a run that came to no verdict."""
    said = f"The run for {commit[:10]} ended without a verdict ({plain(why, 300)})."
    return f"{marker}\n## ❌ Gate: no verdict\n\n{said}\n\n{_link(link)}\n"


def plain(text: str, most: int = 600) -> str:
    """A text of somebody else's as Markdown that shows it and does nothing else."""
    text = " ".join(_ACTING.sub(" ", text).split())
    text = text if len(text) <= most else text[: most - 1] + "…"
    text = re.sub(r"(?i)\bgh-(?=\d)", f"GH-{_BREAK}", text)
    text = _PUNCTUATION.sub(_written, text)
    return re.sub(r"(?i)\b(https?|ftp|www)(?=\\)", rf"\1{_BREAK}", text)


def _written(found: re.Match[str]) -> str:
    """A sign of punctuation: `<`, `>` and `&` as HTML has them, all others behind a backslash."""
    sign = found[0]
    if sign in "<>&":
        return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}[sign]
    return f"\\{sign}{_BREAK}" if sign in "@#" else f"\\{sign}"


def _text(verdict: Verdict, marker: str, link: str, commit: str, rows: int, lines: int) -> str:
    word = verdict.verdict
    parts = [f"{marker}\n## {_SIGNS.get(word, '❌')} Gate: {word.upper()}"]
    if verdict.reason:
        parts.append(plain(verdict.reason, 1_500))
    order = sorted(verdict.rows, key=lambda row: VERDICTS.index(row.verdict))
    measured = [row for row in order if row.metric is not None]
    if measured and rows:
        parts.append(_table(measured, rows))
    told = [f"**{row.verdict.upper()}** {_name(row)}: {plain(row.reason)}" for row in order if row.verdict != "pass"]
    parts += _list("Why", told, lines)
    if verdict.watched:
        names = ", ".join(plain(name, 80) for name in dict.fromkeys(verdict.watched[:10]))
        parts.append(f"Watched by nobody's gate, and standing out: {names}")
    parts += _list("What changed", [plain(one, 300) for one in verdict.changes], lines)
    parts += _list("Notes", [plain(one, 300) for one in verdict.notes], lines)
    sure = "" if verdict.alpha is None else f" A false FAIL has a chance of {100 * verdict.alpha:.3g} %."
    base = f" against {plain(verdict.base, 120)}" if verdict.base else ""
    parts.append(f"{_link(link)} for {commit[:10]}{base}.{sure}")
    return "\n\n".join(parts) + "\n"


def _table(rows: list[Row], most: int) -> str:
    lines = ["| metric | cell | base | head | worse by | margin | verdict |", "|---|---|---:|---:|---:|---:|---|"]
    for row in rows[:most]:
        values = (
            *(plain(row.metric or "", 80), plain(row.cell, 120)),
            *(_value(row.base, row.unit), _value(row.head, row.unit)),
            *(_worse(row.change, row.kind), _margin(row.margin, row.kind), row.verdict.upper()),
        )
        lines.append("| " + " | ".join(values) + " |")
    if len(rows) > most:
        lines.append(f"| and {len(rows) - most} more | | | | | | |")
    return "\n".join(lines)


def _name(row: Row) -> str:
    return plain(" ".join(filter(None, (row.metric, f"({row.cell})" if row.cell else ""))) or "the run", 200)


def _value(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.5g} {plain(unit, 20)}".strip()


def _worse(change: Change | None, kind: str) -> str:
    if change is None:
        return ""
    sure = ""
    if change.low is not None and change.high is not None and change.low != change.high:
        sure = f" \\[{100 * change.low:+.3g}, {100 * change.high:+.3g}\\]"
    return f"{100 * change.value:+.3g} {_unit(kind)}{sure}"


def _margin(margin: float | None, kind: str) -> str:
    if margin is None:
        return ""
    return "equal" if margin == 0 else f"{100 * margin:g} {_unit(kind)}"


def _unit(kind: str) -> str:
    return "points" if kind == "score" else "%"


def _list(title: str, lines: list[str], most: int) -> list[str]:
    if not lines or not most:
        return []
    more = [f"* and {len(lines) - most} more"] if len(lines) > most else []
    return ["\n".join([f"**{title}**", "", *(f"* {line}" for line in lines[:most]), *more])]


def _link(link: str) -> str:
    return f"[The whole report]({link})"
