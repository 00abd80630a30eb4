"""The manifest of a run: what ran, where, and how it ended; and how it is read."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from harness import kept_file
from harness.errors import UserError, printable
from harness.kept_file import Unsealed
from harness.results.record import SCHEMA_VERSION
from harness.results.run_folder import MANIFEST, content, first_line, refuse_links
from harness.results.schema_version import LaterVersion, version_of

UNCHECKED_VERSION = 1
"""The version whose runs have no checksums."""


class Manifest(BaseModel):
    """What ran, where, and how it ended. Written when a run starts and again when it ends."""

    model_config = ConfigDict(extra="allow")

    schema_version: int = SCHEMA_VERSION
    run: str
    """Name of the run: its folder's name."""
    id: str = ""
    """Drawn when the run begins, and in each of its lines: those of another run are not believed here, though it be
    one of the same suite. Empty: that version drew none."""
    sequence: int = 0
    """Which run of its folder of runs it is, counted from 1, as clocks are set back; one that goes on gets a new
    number. 0: that version did not count."""
    suite: str
    about: str = ""
    suite_hash: str
    suite_text: str
    """The suite as resolved (includes merged), as YAML."""
    suite_source: str
    """The suite's path or name as given."""
    status: str = "running"
    """running, finished, interrupted; what is killed can't say so (`Run.status`)."""
    started: str
    ended: str | None = None
    seconds: float | None = None
    command: list[str] = Field(default_factory=list)
    git: dict[str, Any] = Field(default_factory=dict)
    fingerprint: dict[str, Any] = Field(default_factory=dict)
    fingerprint_class: str = ""
    peaks: dict[str, Any] = Field(default_factory=dict)
    models: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """By model name: source, digest, and for trained ones the training summary."""
    fresh: bool = False
    """Whether cells are measured again whose results are known from earlier runs; a resumed run goes on so."""
    cached: bool = True
    """Whether results of cells are taken from the cache and kept in it; a resumed run goes on as it began."""
    problems: list[str] = Field(default_factory=list)
    """Reports that could not be written, and why: a sentence each."""
    plugins: dict[str, str] = Field(default_factory=dict)
    """By name the packages of the adapters, measures and analyses that don't ship with the harness: `gpt-words 1.0`."""
    imported: dict[str, str] = Field(default_factory=dict)
    """By name the sha256 of each file of another tool that the run was made of; empty where it was measured here."""
    cells: list[str] = Field(default_factory=list)
    """Keys of all cells of the plan, in order."""
    compared: list[str] = Field(default_factory=list)
    """Keys of the cells that are measured beside the plan: models side by side."""
    files: dict[str, str] = Field(default_factory=dict)
    """By name the sha256 of each file that was made of the cells: records, findings, outcomes, reports."""

    @property
    def expected(self) -> list[str]:
        """Keys of all cells that the run has when it is finished, in order."""
        return [*self.cells, *self.compared]

    def goes_on(self, folder: Path) -> str:
        """The command that measures what is missing of this run in `folder`: its own where models in memory are
        compared, and where an earlier version began it, whose suites did not say what is compared."""
        if not self.compared or ("side_by_side:" in self.suite_text and "in_memory:" not in self.suite_text):
            return f"harness run --resume {folder}"
        if not self.command:
            return "harness.bench(…, resume=True)"
        return shlex.join(
            printable(word) for word in [*self.command, *(["--resume"] * ("--resume" not in self.command))]
        )


def read_manifest(folder: Path) -> Manifest:
    """That of a run folder; UserError where it is missing or corrupted, or where the folder has links. Raises
    LaterVersion where a later version wrote it."""
    path = folder / MANIFEST
    if os.path.lexists(path):  # any other folder is nobody's to walk through, or to tell what to remove from
        refuse_links(folder)
    again = "run the suite again, cached cells are kept"
    try:
        if (found := content(folder, MANIFEST, again)) is None:
            raise UserError(
                "not a run folder (it has no manifest.json); `harness show` lists the runs here",
                place=str(folder),
            )
        text, checked = unsealed(found.removesuffix(b"\n"), MANIFEST)
        version = version_of(text)
        if not checked and version != UNCHECKED_VERSION:
            raise Unsealed
        if version > SCHEMA_VERSION:
            raise LaterVersion(version, str(path))
        return Manifest.model_validate_json(text)
    except ValueError as error:  # as pydantic and codecs say it, too
        raise UserError(
            f"the manifest is corrupted ({first_line(error)}); run the suite again, cached cells are kept",
            place=str(path),
        ) from None


def unsealed(content: bytes, name: str) -> tuple[bytes, bool]:
    """A JSON object, and whether its checksum was compared: an earlier version wrote none. Raises Damaged."""
    try:
        return kept_file.unseal(content, name), True
    except Unsealed:
        return content, False
