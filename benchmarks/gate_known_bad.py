"""What `harness ci` makes of real defects: slowdowns, losses of quality, and a change that is neither.

    python benchmarks/gate_known_bad.py [--only NAME] [--minutes 10] [--out FILE] [--again]

Clones this repository into a temporary folder, plants one defect there, runs `harness ci suites/ci.yaml --base HEAD`
as a pull request's job would, and appends a line to results/gate_known_bad.jsonl; a table of all lies beside it.
What is in the file already is passed over, so that it can be stopped and go on; `--again` measures it once more. One
takes about as long as `--minutes`, on a machine that does nothing else: the suite trains a model and opens real ones.

A defect is a list of edits, each of which has to find its text exactly once, so that none is planted in vain.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from gate_calibration import read

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "results" / "gate_known_bad.jsonl"
SUITE = "suites/ci.yaml"


@dataclass(frozen=True)
class Edit:
    """One text of a file in place of another."""

    file: str
    old: str
    new: str


@dataclass(frozen=True)
class Defect:
    """A change to this repository."""

    about: str
    expected: str
    """The verdict: `fail`, or `pass`."""
    edits: tuple[Edit, ...]


BEFORE = "        native = self.native\n        if native is None"
ENGINE, CACHE = "reference_impl/inference/engine.py", "reference_impl/inference/kv_cache.py"
WITHOUT_CACHE = """        native = self.native
        seen = getattr(cache, "seen", None)
        if cache is not None and attention_mask is None:
            follows = seen is not None and seen.shape == (tokens.size(0), cache.length)
            cache.seen = tokens if cache.length == 0 else torch.cat((seen, tokens), 1) if follows else None
            if follows and tokens.size(1) == 1:  # all of it is read again, for one more token
                whole = self.new_cache(tokens.size(0), cache.length + 1)
                last = torch.tensor([cache.length])
                logits = self.model.unembed(self.features(cache.seen, whole, logits_at=last))
                cache.keys[..., : whole.length, :] = whole.keys
                cache.values[..., : whole.length, :] = whole.values
                cache.advance(1)
                return logits
"""
ONE_COPY = """        native = self.native
        spare = [part.clone() for part in self.model.head.state_dict().values()]
"""

DEFECTS: dict[str, Defect] = {
    "recomputed-cache": Defect(
        "each step of decoding reads the whole text again",
        "fail",
        (
            Edit(
                ENGINE,
                "        native = self.native\n        if native is None",
                WITHOUT_CACHE + "        if native is None",
            ),
        ),
    ),
    "fp32-product": Defect(
        "weights in bf16 are multiplied in fp32: twice the bytes, and no bf16 instructions",
        "fail",
        (
            Edit(
                "reference_impl/quantization/bf16.py",
                'return matrix("bf16", self.out_features, self.in_features, self.values, bias=bias)',
                'if "wide" not in self.__dict__:\n            self.__dict__["wide"] = self.values.float()\n'
                '        return matrix("fp32", self.out_features, self.in_features, self.__dict__["wide"], bias=bias)',
            ),
            Edit(
                "reference_impl/quantization/bf16.py",
                "        y = kernel_matmul(self, x)\n        return dense_matmul(self, x) if y is None else y",
                "        y = kernel_matmul(self, x)\n        return x @ self.values.to(x.dtype).T if y is None else y",
            ),
        ),
    ),
    "extra-copy": Defect(
        "the head's weight is copied in each pass: 57 MB of smollm2's 270 MB in bf16, where a step reads each once",
        "fail",
        (
            Edit(
                ENGINE,
                "        native = self.native\n        if native is None",
                ONE_COPY + "        if native is None",
            ),
        ),
    ),
    "int4-scales": Defect(
        "each group of an int4 weight has its neighbor's scale",
        "fail",
        (
            Edit(
                "reference_impl/quantization/int4.py",
                'self.register_buffer("scale", scale.contiguous())',
                'self.register_buffer("scale", scale.roll(1, 1).contiguous())',
            ),
        ),
    ),
    "stop-token": Defect(
        "answers end at the id after the stop token",
        "fail",
        (Edit("harness/models/audit.py", '"end_ids": ends,', '"end_ids": tuple(end + 1 for end in ends),'),),
    ),
    "template-space": Defect(
        "the line break that a chat template puts before an answer is lost",
        "fail",
        (
            Edit(
                "harness/models/chat.py",
                "            text = render(shaped, add_generation_prompt, continue_final_message)\n",
                "            text = render(shaped, add_generation_prompt, continue_final_message).rstrip()\n",
            ),
        ),
    ),
    "attention-scale": Defect(
        "scores of attention are half of what they are, in reading and in decoding, at every precision alike",
        "fail",
        (
            Edit("reference_impl/model/gpt.py", "given.attention(queries, keys,", "given.attention(queries / 2, keys,"),
            Edit(
                "reference_impl/native/decode.cpp",
                "scale = 1.f / std::sqrt(float(head_width))",
                "scale = 0.5f / std::sqrt(float(head_width))",
            ),
        ),
    ),
    "refactoring": Defect(
        "the same, written otherwise",
        "pass",
        (
            Edit(
                "reference_impl/model/gpt.py",
                "        x = x + self.dropout(self.attention(self.attention_norm(x), given))\n",
                "        normalized = self.attention_norm(x)\n"
                "        attended = self.attention(normalized, given)\n"
                "        x = x + self.dropout(attended)\n",
            ),
            Edit(
                CACHE,
                "        self.keys[layer, :, :, self.length : end] = keys\n"
                "        self.values[layer, :, :, self.length : end] = values\n",
                "        for room, new in ((self.keys, keys), (self.values, values)):\n"
                "            room[layer, :, :, self.length : end] = new\n",
            ),
        ),
    ),
}


def plant(defect: Defect, root: Path) -> None:
    """Edit the files below a folder. Raises ValueError for a text that isn't there exactly once."""
    for edit in defect.edits:
        file = root / edit.file
        text = file.read_text(encoding="utf-8")
        if text.count(edit.old) != 1:
            raise ValueError(f"{edit.file} has {text.count(edit.old)} times, not once: {edit.old.strip()[:80]!r}")
        file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def judged(name: str, minutes: float) -> dict[str, Any]:
    """Plant a defect in a clone, and judge it. Raises RuntimeError where there is no verdict."""
    defect = DEFECTS[name]
    with tempfile.TemporaryDirectory(prefix="gate-known-bad-") as folder:
        clone, verdict = Path(folder) / "clone", Path(folder) / "verdict.json"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        plant(defect, clone)
        command = [sys.executable, "-P", "-m", "harness", "ci", SUITE, "--base", "HEAD", "--minutes", str(minutes)]
        began = time.monotonic()
        path = {"PYTHONPATH": str(ROOT)}  # the sound harness judges
        done = subprocess.run([*command, "--json", str(verdict)], cwd=clone, env=os.environ | path, check=False)
        seconds = time.monotonic() - began
        if not verdict.is_file():
            raise RuntimeError(f"{name}: harness ci ended with exit status {done.returncode} and no verdict")
        told = json.loads(verdict.read_text(encoding="utf-8"))
    failed = [row for row in told["judged"] if row["verdict"] == told["verdict"]]
    return {
        "defect": name,
        "expected": defect.expected,
        "verdict": told["verdict"],
        "exit_status": done.returncode,
        "reason": told["reason"],
        "what": [named(row) for row in failed] if told["verdict"] != "pass" else [],
        "seconds": round(seconds, 1),
        "load": round(os.getloadavg()[1], 2),
        "cores": os.cpu_count(),
        "time": time.time(),
    }


def named(row: dict[str, Any]) -> str:
    """`decode_rate (smollm2 bf16)`."""
    at = [str(row["at"][name]) for name in ("model", "precision") if name in row["at"]]
    return f"{row['metric'] or 'the cell'} ({' '.join(at)})"


def table(found: Sequence[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "# Known-bad changes, judged by `harness ci`\n",
        "Made by `python benchmarks/gate_known_bad.py` (`suites/ci.yaml`, the change in a clone of this repository).\n",
        "| change | what it is | wanted | verdict | by | seconds | load |",
        "|---|---|---|---|---|---:|---:|",
    ]
    for one in found:
        about = DEFECTS[one["defect"]].about if one["defect"] in DEFECTS else ""
        by = ", ".join(one["what"]) or "–"
        lines.append(
            f"| {one['defect']} | {about} | {one['expected'].upper()} | {one['verdict'].upper()} | {by} | "
            f"{one['seconds']:.0f} | {one['load']:.1f} on {one['cores']} cores |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Judge what is not in the file yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=sorted(DEFECTS))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--again", action="store_true")
    asked = parser.parse_args()
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    for name in DEFECTS if asked.only is None else (asked.only,):
        if not asked.again and any(one["defect"] == name for one in read(asked.out)):
            continue
        found = judged(name, asked.minutes)
        with asked.out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(found, allow_nan=False) + "\n")
        asked.out.with_suffix(".md").write_text(table(read(asked.out)), encoding="utf-8")
        print(f"{name}: {found['verdict']} (wanted: {found['expected']}) in {found['seconds']:.0f} s", flush=True)


if __name__ == "__main__":
    main()
