"""One file from an https address, resumed where an earlier download broke off."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.assets.declaration import Url
from harness.errors import UserError

OnProgress = Callable[[int, int], None]

_PIECE = 1 << 18
_TIMEOUT = 60.0
"""Seconds without a byte."""


def download(address: Url, size: int, folder: Path, on_progress: OnProgress) -> Path:
    """Download the file to `folder`; returns it. What is there of it already is not asked for again.

    The proxy and certificate settings of the environment hold (`https_proxy`, `SSL_CERT_FILE`). `size`: how many
    bytes the file has. Raises UserError where the address can't be reached or breaks off: what came by then stays.
    """
    file = _file(address, folder)
    have = file.stat().st_size if file.exists() else 0
    if have > size:
        file.unlink()
        have = 0
    if have < size:
        request = urllib.request.Request(address.url, headers={"Range": f"bytes={have}-"} if have else {})
        with _opened(request) as response:
            if response.status != 206:  # the server has no ranges: it sends the file from the start
                have = 0
            with file.open("r+b" if have else "wb") as output:
                output.seek(have)
                _receive(response, output.write, have, size, on_progress)
    if file.stat().st_size != size:
        raise UserError(f"{file.stat().st_size} bytes came instead of {size}", place=address.url)
    on_progress(size, size)
    return file


def download_of_unknown_size(address: Url, about: int, folder: Path, on_progress: OnProgress) -> Path:
    """Download a file that the server makes again for everybody, from its start; returns it. Errors as in `download`.

    `about`: how many bytes are expected, for the progress.
    """
    file = _file(address, folder)
    with _opened(urllib.request.Request(address.url)) as response, file.open("wb") as output:
        have = 0
        while piece := response.read1(_PIECE):
            output.write(piece)
            have += len(piece)
            on_progress(min(have, about), about)
    on_progress(about, about)
    return file


def _file(address: Url, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder / address.url.rpartition("/")[2]


@contextmanager
def _opened(request: urllib.request.Request) -> Iterator[http.client.HTTPResponse]:
    """The answer of the server, while it is read. What goes wrong with the network becomes a UserError."""
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
            yield response
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise UserError(f"the download broke off: {getattr(error, 'reason', error)}", place=request.full_url) from error


def _receive(
    response: http.client.HTTPResponse,
    write: Callable[[bytes], int],
    have: int,
    size: int,
    on_progress: OnProgress,
) -> None:
    while piece := response.read1(_PIECE):
        write(piece)
        have += len(piece)
        on_progress(min(have, size), size)
        if have > size:
            return
