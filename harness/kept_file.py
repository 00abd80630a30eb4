"""Files that outlive a process, written and read with a sha256 of what they hold.

Everything that a later process believes goes through here: what lies in the cache and what lies in a run folder. A
checksum is compared before anything is parsed, so that a flipped bit, a cut off file and a file in another's place are
noticed and not believed. (Files with a checksum of their own format, as checkpoints and token shards, are listed in
`tests/harness/test_kept_file.py`, which holds that there is no other way.)

Two forms, so that what was JSON stays JSON:

    {"sha256":"HEX",...     a JSON object, its first key the sha256 of the rest; also one line of a .jsonl file
    sha256 HEX              a line before any other bytes

The sha256 is taken over the file's name in its cache and its content: a whole file in the place of another is none. It
tells damage, not intent: who can write the file can write its checksum.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import told
from harness.notice import notice
from harness.whole_file import whole, write_whole

if TYPE_CHECKING:
    import pandas as pd

_SEALED = re.compile(rb'\{"sha256":"([0-9a-f]{64})",')
_HEADED = re.compile(rb"sha256 ([0-9a-f]{64})\n")


class Damaged(ValueError):
    """What is there is not what was written."""


class Unsealed(Damaged):
    """There is no checksum: an earlier version wrote it, or it is damaged there."""

    def __init__(self) -> None:
        super().__init__("it has no checksum")


def name_of(path: Path) -> str:
    """What a file of the cache is called in its checksum: its name and its folder's, wherever the cache lies."""
    return f"{path.parent.name}/{path.name}"


def seal(text: str, name: str) -> str:
    """The JSON object `text` with its sha256 as its first key. name: what it is, such as `cells.jsonl`."""
    body = text.encode()
    if not re.match(rb'\{\s*"', body):
        raise ValueError("only a JSON object with a key can be sealed")
    return '{"sha256":"' + _digest(body, name) + '",' + text[1:]


def unseal(sealed: bytes, name: str) -> bytes:
    """The JSON object that `seal` was given. Raises Unsealed where there is no checksum, Damaged where it differs."""
    found = _SEALED.match(sealed)
    if found is None:
        raise Unsealed
    return _compared(b"{" + sealed[found.end() :], name, found[1])


def write_json(path: Path, text: str, name: str | None = None) -> None:
    """Replace `path` by a JSON object with its sha256. name: see `name_of`, which it is where none is given."""
    end = "\n" if text.endswith("\n") else ""
    write_whole(path, seal(text.removesuffix("\n"), name or name_of(path)) + end)


def read_json(path: Path, name: str | None = None) -> bytes:
    """The JSON object that `write_json` was given. Raises OSError, Unsealed and Damaged."""
    content = path.read_bytes()
    return unseal(content.removesuffix(b"\n"), name or name_of(path))


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by any bytes, after a line with their sha256."""
    write_whole(path, f"sha256 {_digest(content, name_of(path))}\n".encode() + content)


def read_bytes(path: Path) -> bytes:
    """What `write_bytes` was given. Raises OSError, Unsealed and Damaged."""
    content = path.read_bytes()
    found = _HEADED.match(content)
    if found is None:
        raise Unsealed
    return _compared(content[found.end() :], name_of(path), found[1])


def kept_bytes(path: Path) -> bytes | None:
    """`read_bytes` of a cache's file; None where there is none, or a damaged one, which is dropped and told of."""
    try:
        return read_bytes(path)
    except FileNotFoundError:
        return None
    except (OSError, Damaged) as error:
        drop(path, error)
        return None


def kept_json(path: Path, name: str | None = None) -> bytes | None:
    """`read_json` of a cache's file; None where there is none, or a damaged one, which is dropped and told of."""
    try:
        return read_json(path, name)
    except FileNotFoundError:
        return None
    except (OSError, Damaged) as error:
        drop(path, error)
        return None


def keep_bytes(path: Path, content: bytes) -> None:
    """`write_bytes` of a cache's file; a cache that is full or may only be read keeps nothing, and it is made again."""
    with contextlib.suppress(OSError):
        write_bytes(path, content)


def keep_json(path: Path, text: str, name: str | None = None) -> None:
    """`write_json` of a cache's file; a cache that is full or may only be read keeps nothing, and it is made again."""
    with contextlib.suppress(OSError):
        write_json(path, text, name)


def drop(path: Path, why: Exception | str) -> None:
    """Take a damaged file or folder out of the cache and say so once: what it held is made again.

    What can't be read at the moment (an OSError) may be whole: it is passed over and stays.
    """
    reason = why if isinstance(why, str) else str(why) if isinstance(why, Damaged) else told(why)
    if not isinstance(why, OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # a cache that may only be read: it is passed over each time
                path.unlink(missing_ok=True)
    notice(f"{path}: {reason}; this part of the cache is not believed and is made again")


def write_lines(path: Path, texts: Iterable[str], name: str) -> str:
    """Replace `path` by lines, each a JSON object with its sha256; returns that of the file."""
    content = "".join(seal(text, name) + "\n" for text in texts).encode()
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def read_lines(path: Path, name: str) -> list[bytes | Damaged]:
    """The JSON objects that `write_lines` was given, in the place of a damaged line what is wrong with it. Raises
    OSError."""
    return [_line(line, name) for line in path.read_bytes().splitlines()]


def _line(line: bytes, name: str) -> bytes | Damaged:
    try:
        return unseal(line, name)
    except Damaged as error:
        return error


def write_frame(path: Path, frame: pd.DataFrame) -> str:
    """Replace `path` by a table as Parquet; returns its sha256, which `read_frame` wants: kept where it is named."""
    content: bytes = frame.to_parquet(None, index=False)
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def write_small_frame(path: Path, frame: pd.DataFrame) -> str:
    """The same in as few bytes as can be: slower to write, and without what pandas and Arrow tell of its columns, which
    is more than a small table itself. `read_frame` reads it as it reads any."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
    found = []
    for use_dictionary in (False, True):  # which is smaller depends on how often values come again
        written = io.BytesIO()
        how = {"compression": "zstd", "compression_level": 19, "write_statistics": False, "store_schema": False}
        pq.write_table(table, written, use_dictionary=use_dictionary, **how)
        found.append(written.getvalue())
    content = min(found, key=len)
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def read_frame(path: Path, sha256: str | None) -> pd.DataFrame:
    """A table. sha256: None where an earlier version kept none. Raises OSError, Damaged, and ValueError as pyarrow."""
    import pandas as pd

    content = path.read_bytes()
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise Damaged("its sha256 is another than when it was written")
    return pd.read_parquet(io.BytesIO(content))


def copy(source: Path, target: Path) -> str:
    """Copy a file; returns the sha256 of what was copied."""
    digest = hashlib.sha256()
    with whole(target) as building, source.open("rb") as read, building.open("wb") as written:
        while chunk := read.read(1 << 20):
            digest.update(chunk)
            written.write(chunk)
    return digest.hexdigest()


def content_sha256(path: Path) -> str:
    """sha256 of a file's bytes as they are now. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _digest(content: bytes, name: str) -> str:
    return hashlib.sha256(name.encode() + b"\n" + content).hexdigest()


def _compared(content: bytes, name: str, wanted: bytes) -> bytes:
    if _digest(content, name).encode() != wanted:
        raise Damaged("its sha256 is another than when it was written")
    return content
