"""What a webhook is sent: the whole verdict as JSON, or a short message for Slack or Teams.

Names and reasons may be of anybody. Slack reads them with `&`, `<` and `>` written out, so that no `<!channel>` calls
anyone; in Teams' cards they stand in runs of rich text, which is no Markdown.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from harness.errors import inert, shown
from harness.gate.judgment import GateResult
from harness.gate.verdict import Verdict
from harness.gate.written.plain_data import as_json
from harness.gate.written.tables import last_line, name_of

Format = Literal["json", "slack", "teams"]
MOST_ROWS = 10
"""Rows that a message names, those that count first; the job's page has all."""
_LONGEST = 280
_SIGNS = {Verdict.PASS: "✅", Verdict.ACCEPTED: "✅", Verdict.MINOR: "✅", Verdict.INCONCLUSIVE: "❔"}
"""Before the verdict; a cross before all others."""
_COLORS = {"✅": "Good", "❔": "Warning", "❌": "Attention"}


def message(result: GateResult, form: Format, link: str | None = None) -> dict[str, Any]:
    """The message, as plain data. link: the page of the CI job."""
    if form == "slack":
        return _slack(result, link)
    if form == "teams":
        return _teams(result, link)
    return as_json(result) | {"link": link}


def _slack(result: GateResult, link: str | None) -> dict[str, Any]:
    """Blocks of an incoming webhook: at most 150 characters in a header, 3,000 in a text, 50 blocks."""
    title, line = _title(result), _for_slack(shown(last_line(result), 2 * _LONGEST))
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": shown(title, 140)}},
        _section(line),
    ]
    if rows := [f"• {_for_slack(row)}" for row in _rows(result)]:
        kept = [row for number, row in enumerate(rows) if sum(map(len, rows[: number + 1])) < 2_900]
        blocks.append(_section("\n".join(kept)))
    if link is not None:
        blocks.append(_section(f"<{_for_slack(link)}|The whole report>"))
    return {"text": f"{_for_slack(title)}: {line}", "blocks": blocks}


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _for_slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(result: GateResult, link: str | None) -> dict[str, Any]:
    """An adaptive card, as a webhook of Teams' Workflows takes it: 28 KB at most."""
    body: list[dict[str, Any]] = [
        _rich(_title(result), weight="Bolder", size="Large", color=_COLORS[_sign(result)]),
        _rich(shown(last_line(result), 2 * _LONGEST)),
        *(_rich(f"• {row}") for row in _rows(result)),
    ]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": body,
    }
    if link is not None:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "The whole report", "url": link}]
    kind = "application/vnd.microsoft.card.adaptive"
    return {"type": "message", "attachments": [{"contentType": kind, "contentUrl": None, "content": card}]}


def _rich(text: str, **style: str) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style}]}


def _title(result: GateResult) -> str:
    return inert(f"{_sign(result)} {result.verdict.word}: {shown(result.head, 60)} against {shown(result.base, 60)}")


def _sign(result: GateResult) -> str:
    return _SIGNS.get(result.verdict, "❌")


def _rows(result: GateResult) -> Iterator[str]:
    """What did not pass, a sentence each, the worst first."""
    order = list(Verdict)
    told = sorted((row for row in result.rows if row.verdict is not Verdict.PASS), key=lambda r: order.index(r.verdict))
    for row in told[:MOST_ROWS]:
        yield shown(inert(f"{row.verdict.word} {name_of(row)}: {row.reason}"), _LONGEST)
    if len(told) > MOST_ROWS:
        yield f"and {len(told) - MOST_ROWS} more"
