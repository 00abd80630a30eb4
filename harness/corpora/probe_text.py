"""The probe text: a few short documents of many kinds, on which two versions of a model are compared token by token.

It is small so that a model reads it in a second, and mixed so that a fault has somewhere to show: prose, dialog, code,
numbers, a table, lists, other languages and scripts, odd white space, a leading space, a text that looks like a chat
template. Every document is at most 240 bytes long, so that a tokenizer of bytes reads it whole in 256 tokens.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from harness.corpora.source import OnProgress

DOCUMENTS = (
    "The ferry was late again. Marta stood under the tin roof with her collar up and watched the rain move "
    "across the water, one grey sheet after another, until the far shore was gone and only the bell was left.",
    '"Did you lock the door?" he asked.\n"I thought you did."\n"I thought you did," he said, and they both '
    "looked back at the house, which was now no more than a light between two trees.\n",
    "def median(values):\n    ordered = sorted(values)\n    n = len(ordered)\n    if n % 2:\n        return "
    "ordered[n // 2]\n    return (ordered[n // 2 - 1] + ordered[n // 2]) / 2\n",
    '{"id": 4821, "name": "valve", "open": false, "limits": [0.5, 12.75], "tags": ["steam", "north"], '
    '"parent": null, "checked": "2024-03-09T07:15:00Z"}\n',
    "17 + 25 = 42\n42 - 8 = 34\n34 * 3 = 102\n102 / 6 = 17\n3.14159 * 2 = 6.28318\n1, 1, 2, 3, 5, 8, 13, 21, "
    "34, 55, 89\n1 000 000 = 10^6; 0x1F = 31; 7/8 = 0.875\n",
    "Packing list:\n1. tent and poles\n2. two sleeping bags\n3. stove, gas, matches\n4. water filter\n   - "
    "spare cartridge\n   - small bottle\n5. map (1:25,000)\n6. first-aid kit\n",
    "Water boils at 100 degrees Celsius at sea level. On a mountain the air pressure is lower, so that water "
    "boils at a lower temperature and food takes longer to cook. Salt raises the boiling point only a little.",
    "Der Zug nach Köln fährt heute von Gleis 7 ab. Bitte beachten Sie, dass er zehn Minuten später kommt als "
    "üblich; die Anschlüsse in Düren werden voraussichtlich nicht erreicht.",
    "Le garçon a posé sa bicyclette contre le mur de l'école, puis il a traversé la rue sans regarder. « "
    "Attention ! » cria quelqu'un derrière lui, mais il était déjà de l'autre côté.",
    "Утром в деревне было тихо. Старик вышел на крыльцо, посмотрел на небо и сказал, что к вечеру будет снег.",
    "今天下午三点，我们在图书馆门口见面。如果下雨，请带上雨伞。図書館は駅から歩いて五分です。",
    "كان البيت صغيرا لكنه قريب من البحر. ठंडी हवा में पेड़ धीरे-धीरे हिल रहे थे। 👩\u200d🚀🌧️ ½ ≤ √2 → ∞ ☕",
    "name\tunits\tprice\nbolt M6\t120\t0.08\nwasher\t 400\t0.01\n\n\nnut   M6\t120\t0.05  \ntotal:\t\t\t "
    "19.60\n  \n\tend\n",
    " and so they went on walking, because nobody had told them that the road ended at the river, and when "
    "they came to the river nobody was surprised.",
    "### Instruction:\nName the capital of France in one word.\n\n### Response:\nParis\n\n### Instruction:\n"
    "Name the capital of Japan in one word.\n\n### Response:\nTokyo\n",
    "Q: What is the opposite of hot?\nA: cold\n\nQ: What is the opposite of early?\nA: late\n\nQ: What is "
    "the opposite of open?\nA: closed\n\nQ: What is the opposite of heavy?\nA:",
)
"""In UTF-8, normal form C."""


@dataclass(frozen=True)
class ProbeText:
    """All of it."""

    def documents(self) -> list[str]:
        """`DOCUMENTS`."""
        return list(DOCUMENTS)

    def digest(self) -> str:
        """Hash of the documents."""
        return hashlib.sha256(repr(DOCUMENTS).encode()).hexdigest()

    def ensure(self, on_progress: OnProgress) -> None:
        """It is here."""

    def size(self) -> int | None:
        """Bytes in UTF-8."""
        return sum(len(document.encode()) for document in DOCUMENTS)
